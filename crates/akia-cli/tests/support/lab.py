"""The lab: runs the foreign judges for one test process, and dies with it.

Reads one JSON request a line from standard input, answers one JSON object a line on standard output, with the same
"id", in any order. End of input is the end of the lab and of everything that it started: a test that panics, or is
killed, closes its end of the pipe. One thread, no locks: forking is safe, so each run of the AWS CLI is a fork of an
interpreter that has already imported it (a tenth of the time), with its own environment, folder and output.

  {"do": "moto"}                                   -> {"port": N}
  {"do": "ministack", "root": ID, "secret": S}     -> {"port": N}
  {"do": "smtp", "tls": "none|starttls|implicit", "login": [USER, PASSWORD]?, "answer": S?, "cut": BOOL?} -> {"port": N}
  {"do": "mails", "port": N}                       -> {"mails": [{"from": S, "to": [S], "text": S}], "ca": PATH}
  {"do": "aws", "args": [], "env": {}, "cwd": D}   -> {"code": N, "stdout": S, "stderr": S}
  {"do": "call", "endpoint": URL, "key": [ID, SECRET, TOKEN?], "service": S, "operation": "create_user", "params": {}}
                                                   -> {"result": {}} or {"refused": CODE, "status": N, "message": S}
  {"do": "moto-account", "port": N, "account": A}  -> {"key": [ID, SECRET]}, of an administrator
  {"do": "moto-objects", "port": N, "account": A, "bucket": B, "key": "a-{}", "count": N, "text": S}
                                                   -> {"count": N}, which are in the bucket then, put there at once
  {"do": "pty", "argv": [], "env": {}, "cwd": D, "steps": [["text to wait for", "text to send"]], "limit": SECONDS}
                                                   -> {"code": N, "screen": S, "missed": null | S}
A failure answers {"error": S}.
"""

import ctypes
import gc
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time

FOLDER = tempfile.mkdtemp(prefix="akia-lab-")
SELECTOR = selectors.DefaultSelector()
CHILDREN = set()


def answer(request, **fields):
    fields["id"] = request["id"]
    os.write(OUTPUT, json.dumps(fields).encode() + b"\n")


def fork():
    """Forks; the child dies with us even when we are killed, and holds neither end of the line to the test."""
    pid = os.fork()
    if pid:
        CHILDREN.add(pid)
        return pid
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG; Linux only, elsewhere end() does it
    except (OSError, AttributeError):
        pass
    CHILDREN.clear()
    SELECTOR.close()
    os.close(OUTPUT)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    return 0


def output_to(stdout, stderr):
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def child(body):
    """Runs body in a forked child and leaves without any of the parent's clean-up."""
    code = 70
    try:
        code = body() or 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1 if leaving.code else 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                pass
        os._exit(code)


class Run:
    """A child whose output is collected until it ends; the answer is sent then."""

    def __init__(self, request, pid, pipes):
        self.request, self.pid = request, pid
        self.text = {name: bytearray() for name in pipes}
        self.open = len(pipes)
        for name, descriptor in pipes.items():
            SELECTOR.register(descriptor, selectors.EVENT_READ, lambda d=descriptor, n=name: self.read(d, n))

    def read(self, descriptor, name):
        piece = os.read(descriptor, 65536)
        self.text[name] += piece
        if not piece:
            SELECTOR.unregister(descriptor)
            os.close(descriptor)
            self.open -= 1
            if not self.open:
                status = reap(self.pid)
                answer(self.request, code=status, **{n: bytes(t).decode("utf-8", "replace") for n, t in self.text.items()})


def reap(pid):
    _, status = os.waitpid(pid, 0)
    CHILDREN.discard(pid)
    return os.waitstatus_to_exitcode(status)


def aws(request):
    if not hasattr(aws, "data"):
        # Everything that the first run would import, with an environment that touches nobody's files.
        saved = dict(os.environ)
        import awscli.clidriver

        os.environ.update(HOME=FOLDER, AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null")
        driver = awscli.clidriver.create_clidriver()
        driver._get_command_table()
        import awscli.customizations.commands  # noqa: F401
        import awscli.botocore.auth  # noqa: F401
        import awscli.botocore.httpsession  # noqa: F401
        import awscli.botocore.parsers  # noqa: F401
        import awscli.botocore.serialize  # noqa: F401

        # Importing awscli tells its own loader, through the environment, where its data is.
        aws.data = os.environ["AWS_DATA_PATH"]
        os.environ.clear()
        os.environ.update(saved)
        remember_models(driver.session)
        # What is there now lives until the end: the collector of each fork need not look at it, which would copy it.
        gc.collect()
        gc.freeze()
    (out_read, out_write), (err_read, err_write) = os.pipe(), os.pipe()
    pid = fork()
    if not pid:

        def body():
            output_to(out_write, err_write)
            os.chdir(request["cwd"])
            os.environ.clear()
            os.environ.update(request["env"], AWS_DATA_PATH=aws.data)
            sys.argv = ["aws", *request["args"]]
            from awscli.clidriver import main

            return main()

        child(body)
    os.close(out_write)
    os.close(err_write)
    Run(request, pid, {"stdout": out_read, "stderr": err_read})


def remember_models(session):
    """Each run of the AWS CLI would parse a megabyte of JSON that never changes; forks find it parsed."""
    from awscli.botocore.loaders import JSONFileLoader

    load, parsed = JSONFileLoader.load_file, {}

    def load_once(loader, path):
        if path not in parsed:
            parsed[path] = load(loader, path)
        # A fork is on its own with it: what one run changes no other sees.
        return parsed[path]

    JSONFileLoader.load_file = load_once
    loader = session.get_component("data_loader")
    for service in ("iam", "sts"):
        loader.load_service_model(service, "service-2")
    for name in ("endpoints", "partitions", "_retry", "sdk-default-configuration"):
        loader.load_data(name)


def call(request):
    """One API call through botocore, for setting a stage: ten times as quick as the AWS CLI, and in this process."""
    import botocore.session
    from botocore.config import Config
    from botocore.exceptions import ClientError

    if not hasattr(call, "session"):
        call.session = botocore.session.Session()
        call.clients = {}
    which = (request["endpoint"], tuple(request["key"]), request["service"])
    if which not in call.clients:
        key = [*request["key"], None]
        call.clients[which] = call.session.create_client(
            request["service"],
            region_name="us-east-1",
            endpoint_url=request["endpoint"],
            aws_access_key_id=key[0],
            aws_secret_access_key=key[1],
            aws_session_token=key[2],
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=30),
        )
    try:
        result = getattr(call.clients[which], request["operation"])(**request["params"])
    except ClientError as refused:
        error, meta = refused.response["Error"], refused.response["ResponseMetadata"]
        answer(request, refused=error["Code"], status=meta["HTTPStatusCode"], message=error["Message"])
        return
    result.pop("ResponseMetadata", None)
    answer(request, result=json.loads(json.dumps(result, default=plain)))


def plain(value):
    """Times and blobs as JSON has them."""
    return value.decode("latin-1") if isinstance(value, bytes) else value.isoformat()


def moto_account(request):
    import urllib.request

    url = f"http://127.0.0.1:{request['port']}/akia-lab/{request['account']}"
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=30) as response:
        key = json.load(response)
    answer(request, key=[key["id"], key["secret"]])


def moto_objects(request):
    import urllib.request

    url = f"http://127.0.0.1:{request['port']}/akia-lab/{request['account']}/objects"
    with urllib.request.urlopen(urllib.request.Request(url, data=json.dumps(request).encode()), timeout=120) as response:
        answer(request, count=json.load(response))


def serve(request, name, body):
    """Starts a server on a free loopback port. The socket is bound here, so that nobody can take the port between."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    port = listener.getsockname()[1]
    log_path = os.path.join(FOLDER, f"{name}-{port}.log")
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    ready_read, ready_write = os.pipe()
    pid = fork()
    if not pid:
        os.close(ready_read)
        output_to(log, log)
        child(lambda: body(listener, port, lambda: (os.write(ready_write, b"+"), os.close(ready_write))))
    os.close(ready_write)
    os.close(log)
    listener.close()

    def ready():
        up = os.read(ready_read, 1)
        SELECTOR.unregister(ready_read)
        os.close(ready_read)
        if up:
            answer(request, port=port)
        else:
            with open(log_path, encoding="utf-8", errors="replace") as file:
                answer(request, error=f"{name} did not start:\n{file.read()[-4000:]}")

    SELECTOR.register(ready_read, selectors.EVENT_READ, ready)


def moto(request):
    def body(listener, port, ready):
        # Policies and signatures are checked from the first call on. A judge that lets everybody in judges nothing.
        os.environ.update(MOTO_PORT=str(port), INITIAL_NO_AUTH_ACTION_COUNT="0", HOME=FOLDER, TMPDIR=FOLDER)
        from moto.iam.access_control import IAMRequestBase
        from moto.iam.aws_managed_policies import aws_managed_policies_data
        from moto.iam.models import AWSManagedPolicy, iam_backends
        from moto.s3.models import s3_backends
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
        from werkzeug.serving import make_server

        # moto takes the query of a request without a body for its body, and refuses botocore's own signature of it.
        signed_as = IAMRequestBase._create_aws_request

        def without_body(request):
            if request._headers.get("Content-Length", "0") == "0":
                request._data = {}
            return signed_as(request)

        IAMRequestBase._create_aws_request = without_body
        app = DomainDispatcherApplication(create_backend_app)
        managed = json.loads(aws_managed_policies_data)
        denials = {name: data for name, data in managed.items() if name.startswith("AWSCompromisedKeyQuarantine")}

        def door(environ, start_response):
            """POST /akia-lab/ACCOUNT makes an account with one administrator, POST /akia-lab/ACCOUNT/objects objects by
            the thousand, for which requests would take minutes; all else is moto's."""
            path = environ.get("PATH_INFO", "")
            if not path.startswith("/akia-lab/"):
                return app(environ, start_response)
            if path.endswith("/objects"):
                wanted = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
                s3 = s3_backends[wanted["account"]]["aws"]
                for number in range(wanted["count"]):
                    s3.put_object(wanted["bucket"], wanted["key"].format(number), wanted["text"].encode())
                start_response("200 OK", [("Content-Type", "application/json")])
                return [json.dumps(wanted["count"]).encode()]
            account = path.rsplit("/", 1)[-1]
            iam = iam_backends[account]["aws"]
            if "lab-admin" not in [user.name for user in iam.list_users("/", None, None)]:
                iam.create_user("us-east-1", user_name="lab-admin")
            allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
            iam.put_user_policy("lab-admin", "everything", json.dumps(allow))
            # Of AWS's 1,582 policies moto can have all, for a fifth of a second an account, or none.
            for name, data in denials.items():
                policy = AWSManagedPolicy.from_data(name, account, "us-east-1", data)
                iam.managed_policies.setdefault(policy.arn, policy)
            key = iam.create_access_key(user_name="lab-admin", prefix="AKIA")
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps({"id": key.access_key_id, "secret": key.secret_access_key}).encode()]

        server = make_server(
            "127.0.0.1", port, door, threaded=True, request_handler=MotoRequestHandler, fd=listener.fileno()
        )
        ready()
        server.serve_forever()

    serve(request, "moto", body)


def ministack(request):
    def body(listener, port, ready):
        os.environ.update(
            AUTH="true",
            BIND_HOST="127.0.0.1",
            GATEWAY_PORT=str(port),
            MINISTACK_HOST="127.0.0.1",
            SERVICES="iam,sts,cloudtrail",
            # Side doors that it would open on every interface.
            IOT_MTLS_ENABLED="0",
            SFTP_ENABLED="0",
            DOCKER_HOST=f"unix://{FOLDER}/no-docker",
            CLOUDTRAIL_RECORDING="1",
            AWS_ACCESS_KEY_ID=request["root"],
            AWS_SECRET_ACCESS_KEY=request["secret"],
            HOME=FOLDER,
            TMPDIR=FOLDER,
            STATE_DIR=os.path.join(FOLDER, "ministack-state"),
            S3_DATA_DIR=os.path.join(FOLDER, "ministack-s3"),
        )
        import asyncio

        from hypercorn.asyncio import serve as hypercorn_serve
        from hypercorn.config import Config
        from ministack.app import app

        config = Config()
        config.bind = [f"fd://{listener.fileno()}"]
        config.keep_alive_timeout = 75
        ready()
        asyncio.run(hypercorn_serve(app, config))

    serve(request, "ministack", body)


def certificate():
    """A root of trust for the mail server, and the server's own certificate for localhost."""
    if os.path.exists(os.path.join(FOLDER, "ca.pem")):
        return
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = datetime.datetime.now(datetime.timezone.utc)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("akia lab", "localhost")]

    def make(subject, public, is_root):
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(names[0]).public_key(public)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=2))
        builder = builder.add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        if not is_root:
            hosts = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        return builder.sign(root_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    server = make(names[1], key.public_key(), False).public_bytes(pem)
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with open(os.path.join(FOLDER, "server.pem"), "wb") as file:
        file.write(server + private)
    with open(os.path.join(FOLDER, "ca.pem"), "wb") as file:
        file.write(make(names[0], root_key.public_key(), True).public_bytes(pem))


def smtp(request):
    certificate()

    def body(listener, port, ready):
        import asyncio
        import ssl

        from aiosmtpd.smtp import SMTP, AuthResult

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(os.path.join(FOLDER, "server.pem"))
        login = request.get("login")

        class Handler:
            async def handle_DATA(self, server, session, envelope):
                with open(os.path.join(FOLDER, f"mails-{port}.jsonl"), "a", encoding="utf-8") as file:
                    mail = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "text": envelope.content.decode()}
                    file.write(json.dumps(mail) + "\n")
                if request.get("cut"):
                    server.transport.abort()
                return request.get("answer") or "250 2.0.0 Ok: queued as LAB1"

        def authenticate(server, session, envelope, mechanism, data):
            right = login is not None and [data.login.decode(), data.password.decode()] == login
            # "Handled" would mean that the refusal was said already.
            return AuthResult(success=right, handled=False)

        def protocol():
            tls = context if request["tls"] == "starttls" else None
            return SMTP(
                Handler(),
                tls_context=tls,
                require_starttls=tls is not None,
                auth_required=login is not None,
                auth_require_tls=False,
                authenticator=authenticate,
            )

        async def main():
            loop = asyncio.get_running_loop()
            tls = context if request["tls"] == "implicit" else None
            server = await loop.create_server(protocol, sock=listener, ssl=tls)
            ready()
            await server.serve_forever()

        asyncio.run(main())

    serve(request, "smtp", body)


def mails(request):
    path = os.path.join(FOLDER, f"mails-{request['port']}.jsonl")
    found = []
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            found = [json.loads(line) for line in file]
    answer(request, mails=found, ca=os.path.join(FOLDER, "ca.pem"))


class Terminal:
    """A program with a terminal of its own, typed at by a script."""

    def __init__(self, request):
        import pty

        self.request = request
        self.screen, self.seen = bytearray(), 0
        self.steps = [(wait.encode(), send.encode()) for wait, send in request["steps"]]
        self.deadline = time.monotonic() + request["limit"]
        self.pid, self.master = pty.fork()
        if not self.pid:
            child(lambda: self.start())
        CHILDREN.add(self.pid)
        TERMINALS.append(self)
        SELECTOR.register(self.master, selectors.EVENT_READ, self.read)

    def start(self):
        os.close(OUTPUT)
        SELECTOR.close()
        os.chdir(self.request["cwd"])
        # A shell without job control has its background jobs ignore Ctrl-C, and so would every program below them.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execve(self.request["argv"][0], self.request["argv"], self.request["env"])

    def read(self):
        try:
            piece = os.read(self.master, 65536)
        except OSError:  # Linux says EIO when the last holder of the other side has left
            piece = b""
        if not piece:
            self.finish(reap(self.pid))
            return
        self.screen += piece
        while self.steps:
            wait, send = self.steps[0]
            at = self.screen.find(wait, self.seen)
            if at < 0:
                return
            self.seen = at + len(wait)
            self.steps.pop(0)
            os.write(self.master, send)

    def finish(self, code):
        TERMINALS.remove(self)
        SELECTOR.unregister(self.master)
        os.close(self.master)
        missed = self.steps[0][0].decode() if self.steps else None
        answer(self.request, code=code, screen=self.screen.decode("utf-8", "replace"), missed=missed)

    def overdue(self, now):
        if now > self.deadline:
            os.kill(self.pid, signal.SIGKILL)
            self.finish(reap(self.pid))


TERMINALS = []
VERBS = {"aws": aws, "call": call, "moto-account": moto_account, "moto-objects": moto_objects, "moto": moto, "ministack": ministack, "pty": Terminal}
VERBS |= {"smtp": smtp, "mails": mails}
PENDING = bytearray()


def requests():
    piece = os.read(0, 65536)
    if not piece:
        end()
    PENDING.extend(piece)
    while b"\n" in PENDING:
        line, _, rest = bytes(PENDING).partition(b"\n")
        PENDING[:] = rest
        request = json.loads(line)
        try:
            VERBS[request["do"]](request)
        except Exception as error:
            answer(request, error=f"{type(error).__name__}: {error}")


def end():
    for pid in list(CHILDREN):
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
    shutil.rmtree(FOLDER, ignore_errors=True)
    os._exit(0)


# Nothing that a library prints may end up between our answers.
OUTPUT = os.dup(1)
os.dup2(os.open(os.path.join(FOLDER, "lab.log"), os.O_WRONLY | os.O_CREAT, 0o600), 1)
SELECTOR.register(0, selectors.EVENT_READ, requests)
while True:
    for key, _ in SELECTOR.select(timeout=0.2 if TERMINALS else None):
        key.data()
    for terminal in list(TERMINALS):
        terminal.overdue(time.monotonic())
