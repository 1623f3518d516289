"""The other side of `cargo xtask bench`: moto's server, counted where requests arrive, and users with keys.

Reads one command a line from standard input and answers with one line of fields between tabs, "ok" or "error" first.
The end of input is the end of the lab, so it goes with the bench, however that ends.

  account ID COUNT     moto: an account with COUNT users who may do everything, each with one key -> USER,KEY,SECRET ...
  keys ID              moto: every key of the account                                             -> USER,KEY,STATUS ...
  calls                moto: requests since the last time, by action, and this process's CPU time -> ACTION=N ... cpu=S
  furnish COUNT JSON   the sandbox that printed this JSON: users who may rotate themselves         -> USER,KEY,SECRET ...
"""

import configparser
import gc
import json
import os
import sys
import threading
import time
from urllib.parse import parse_qs

# Signatures and policies are checked from the first call on: both contenders pay for what AWS would do.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "0"

from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
CALLS = {}
LOCK = threading.Lock()
CPU = 0.0


class QuietHandler(MotoRequestHandler):
    def log(self, *_):
        """moto's line for each request is neither contender's business."""


class CountingDoor:
    """Counts what arrives, then hands it to moto."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        import io

        environ["wsgi.input"] = io.BytesIO(body)
        action = parse_qs(body.decode("utf-8", "replace")).get("Action", ["other"])[0]
        with LOCK:
            CALLS[action] = CALLS.get(action, 0) + 1
        return self.app(environ, start_response)


def account(name, count):
    iam = iam_backends[name]["aws"]
    fields = []
    for number in range(1, int(count) + 1):
        user = f"user-{number:02}"
        iam.create_user("us-east-1", user_name=user)
        iam.put_user_policy(user, "everything", json.dumps(EVERYTHING))
        key = iam.create_access_key(user_name=user, prefix="AKIA")
        fields.append(f"{user},{key.access_key_id},{key.secret_access_key}")
    # An account holds all of AWS's managed policies. Python would look through them again and again for garbage, for
    # longer with each account, and the contender that comes later would pay for it.
    gc.collect()
    gc.freeze()
    return fields


def keys(name):
    users = iam_backends[name]["aws"].users.values()
    return [f"{user.name},{key.access_key_id},{key.status}" for user in users for key in user.access_keys]


def calls():
    global CPU
    now = time.process_time()
    with LOCK:
        fields = [f"{action}={count}" for action, count in sorted(CALLS.items())]
        CALLS.clear()
    spent, CPU = now - CPU, now
    return [*fields, f"cpu={spent:.3f}"]


def furnish(count, sandbox):
    import botocore.session
    from botocore.config import Config

    sandbox = json.loads(sandbox)
    profiles = configparser.RawConfigParser()
    profiles.read(sandbox["environment"]["AWS_SHARED_CREDENTIALS_FILE"])
    iam = botocore.session.Session().create_client(
        "iam",
        region_name="us-east-1",
        endpoint_url=sandbox["endpoint_url"],
        aws_access_key_id=profiles["admin"]["aws_access_key_id"],
        aws_secret_access_key=profiles["admin"]["aws_secret_access_key"],
        config=Config(retries={"total_max_attempts": 1}),
    )
    allow = {"Effect": "Allow", "Action": "iam:*AccessKey*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    fields = []
    for number in range(1, int(count) + 1):
        user = f"bench-{number:03}"
        iam.create_user(UserName=user)
        iam.put_user_policy(UserName=user, PolicyName="keys", PolicyDocument=policy)
        key = iam.create_access_key(UserName=user)["AccessKey"]
        fields.append(f"{user},{key['AccessKeyId']},{key['SecretAccessKey']}")
    return fields


server = make_server(
    "127.0.0.1",
    0,
    CountingDoor(DomainDispatcherApplication(create_backend_app)),
    threaded=True,
    request_handler=QuietHandler,
)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("ok", server.server_port, sep="\t", flush=True)
VERBS = {"account": account, "keys": keys, "calls": calls, "furnish": furnish}
for line in sys.stdin:
    verb, *arguments = line.rstrip("\n").split(" ", 2)
    try:
        print("ok", *VERBS[verb](*arguments), sep="\t", flush=True)
    except Exception as failure:
        print("error", f"{verb}: {type(failure).__name__}: {failure}".replace("\n", " "), sep="\t", flush=True)
os._exit(0)
