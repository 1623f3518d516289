"""The other side of `cargo xtask bench`: moto's server, counted where requests arrive, and users with keys.

Reads one command a line from standard input and answers with one line of fields between tabs, "ok" or "error" first.
The end of input is the end of the lab, so it goes with the bench, however that ends.

  account ID COUNT     moto: an account with COUNT users who may do everything, each with one key -> USER,KEY,SECRET ...
  keys ID              moto: every key of the account                                             -> USER,KEY,STATUS ...
  estate ID COUNT FILE moto: an account with an auditor and COUNT users who hold keys of every sort and age; what is
                       true of each key goes to FILE                                         -> USER,KEY,SECRET
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

from moto.iam.models import AccessKeyLastUsed, iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
NO_SERVICE_CREDENTIALS = b"""<ListServiceSpecificCredentialsResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
<ListServiceSpecificCredentialsResult><ServiceSpecificCredentials/></ListServiceSpecificCredentialsResult>
<ResponseMetadata><RequestId>lab</RequestId></ResponseMetadata></ListServiceSpecificCredentialsResponse>"""
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
        if action == "ListServiceSpecificCredentials":
            # moto does not know it; in an account that has none, AWS answers so.
            start_response("200 OK", [("Content-Type", "text/xml")])
            return [NO_SERVICE_CREDENTIALS]
        try:
            return self.app(environ, start_response)
        except NotImplementedError as unknown:
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [str(unknown).encode()]


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


def estate(name, rest):
    """Keys as real accounts have them, and those that audits get wrong. Ages lie a day off the limits, for no contender
    counts to the second, but where a limit itself is the question."""
    import random
    from datetime import datetime, timedelta, timezone

    count, path = rest.split(" ", 1)
    iam = iam_backends[name]["aws"]
    draw = random.Random(4)
    now = datetime.now(timezone.utc).replace(microsecond=0, tzinfo=None)
    iam.create_user("us-east-1", user_name="auditor")
    iam.put_user_policy("auditor", "everything", json.dumps(EVERYTHING))
    auditor = iam.create_access_key(user_name="auditor", prefix="AKIA")
    truth = []

    def key(user, days, used, status="Active", sort="ordinary"):
        made = iam.create_access_key(user_name=user, prefix="AKIA")
        made.create_date = now - days
        made.status = status
        # None is "never".
        made.last_used = None if used is None else AccessKeyLastUsed(timestamp=now - used, service="s3", region="eu-west-1")
        truth.append(
            {
                "user": user,
                "key": made.access_key_id,
                "active": status == "Active",
                "age_seconds": int(days.total_seconds()),
                "unused_seconds": None if used is None else int(used.total_seconds()),
                "sort": sort,
            }
        )

    day = timedelta(days=1)
    traps = {
        "trap-never-used-old": [(400 * day, None, "Active")],
        "trap-never-used-young": [(10 * day, None, "Active")],
        "trap-90-days-23-hours": [(90 * day + timedelta(hours=23), 1 * day, "Active")],
        "trap-inactive-first": [(500 * day, 450 * day, "Inactive"), (200 * day, 100 * day, "Active")],
        "trap-inactive-second": [(200 * day, 100 * day, "Active"), (20 * day, 15 * day, "Inactive")],
        "trap-same-second": [(200 * day, 1 * day, "Active"), (200 * day, 150 * day, "Active")],
        "trap-both-inactive": [(600 * day, 500 * day, "Inactive"), (600 * day, None, "Inactive")],
    }
    for user, held in traps.items():
        iam.create_user("us-east-1", user_name=user)
        iam.users[user].create_date = now - 700 * day
        for days, used, status in held:
            key(user, days, used, status, sort=user)
    # The auditor is one of them.
    for number in range(int(count) - len(traps) - 1):
        user = f"user-{number:04}"
        iam.create_user("us-east-1", user_name=user)
        days = draw.randrange(1, 900)
        iam.users[user].create_date = now - (days + draw.randrange(1, 400)) * day
        days += days in (89, 90, 91)
        used = None if draw.random() < 0.2 else draw.randrange(0, days) * day + timedelta(hours=3)
        if used is not None and abs(used.days - 45) <= 1:
            used += 3 * day
        key(user, (days + 2 * (days == 90)) * day + timedelta(hours=2), used)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(truth, file)
    gc.collect()
    gc.freeze()
    return [f"auditor,{auditor.access_key_id},{auditor.secret_access_key}"]


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
VERBS = {"account": account, "estate": estate, "keys": keys, "calls": calls, "furnish": furnish}
for line in sys.stdin:
    verb, *arguments = line.rstrip("\n").split(" ", 2)
    try:
        print("ok", *VERBS[verb](*arguments), sep="\t", flush=True)
    except Exception as failure:
        print("error", f"{verb}: {type(failure).__name__}: {failure}".replace("\n", " "), sep="\t", flush=True)
os._exit(0)
