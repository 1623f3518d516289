"""What scanners find in a history into which keys were planted, and what they need for it.

  scan.py plant REPOSITORY TRUTH       adds commits with keys to a bare repository, each taken out by the next; writes what is true
  scan.py plant-image IMAGE TRUTH      writes a file with a key of each shape over a sector of a raw image; writes what is true
  scan.py run COMMAND...               runs a command; the last line on standard error: CPU seconds, wall seconds, memory in KB
  scan.py judge TRUTH TOOL OUTPUT      -> keys, ids found, pairs found, first commits found, other ids reported (tabs between)
"""

import json
import pathlib
import random
import resource
import subprocess
import sys
import time

KEYS = 24
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
SECRET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def key(chance):
    """An id that encodes an account, as AWS makes them since 2019, and a secret."""
    account = chance.randrange(100_000_000_000, 999_999_999_999)
    head = 1 << 47 | account << 7 | chance.randrange(128)
    bits = head << 2 | chance.randrange(4)
    ten = "".join(BASE32[bits >> shift & 31] for shift in range(45, -1, -5))
    return "AKIA" + ten + "".join(chance.choices(BASE32, k=6)), "".join(chance.choices(SECRET, k=40))


SHAPES = [
    ("deploy/credentials", "[prod]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\nregion = eu-west-1\n"),
    ("src/settings.py", "import os\n\nAWS_ACCESS_KEY_ID = '{id}'\nAWS_SECRET_ACCESS_KEY = '{secret}'\nDEBUG = False\n"),
    ("config/app.json", '{{\n  "aws": {{ "accessKeyId": "{id}", "secretAccessKey": "{secret}" }},\n  "port": 8080\n}}\n'),
    ("ops/run.sh", "#!/bin/sh\nexport AWS_ACCESS_KEY_ID={id}\nexport AWS_SECRET_ACCESS_KEY={secret}\nexec ./app\n"),
]


def plant(repository, truth):
    chance = random.Random(f"planted {repository.name}")
    git = ["git", "-C", str(repository)]
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    stream, keys = [], []
    parent, mark = head, 0
    for number in range(KEYS):
        path, shape = SHAPES[number % len(SHAPES)]
        id, secret = key(chance)
        filler = "".join(f"# line {chance.randrange(10**9)}\n" for _ in range(200))
        for text, message in ((filler + shape.format(id=id, secret=secret) + filler, "add"), (filler, "take it out")):
            mark += 1
            data = text.encode()
            stream.append(
                f"commit refs/heads/planted\nmark :{mark}\ncommitter Bench <bench@example.com> {1_700_000_000 + mark * 60} +0000\n"
                f"data {len(message)}\n{message}\nfrom {parent}\nM 100644 inline planted/{number}/{path}\ndata {len(data)}\n".encode()
                + data
                + b"\n"
            )
            parent = f":{mark}"
        keys.append({"id": id, "secret": secret, "mark": mark - 1})
    marks = truth.absolute().with_suffix(".marks")
    subprocess.run([*git, "-c", "fastimport.unpackLimit=1", "fast-import", "--quiet", "--force", f"--export-marks={marks}"], input=b"".join(stream), check=True)
    commits = dict(line.split() for line in marks.read_text().splitlines())
    for one in keys:
        one["commit"] = commits[f":{one.pop('mark')}"]
    truth.write_text(json.dumps(keys))


def plant_image(image, truth):
    chance = random.Random("planted image")
    keys, size = [], image.stat().st_size
    with image.open("r+b") as disk:
        for number, (_, shape) in enumerate(SHAPES, start=1):
            id, secret = key(chance)
            disk.seek(size * number // (len(SHAPES) + 1) // 4096 * 4096)
            disk.write(shape.format(id=id, secret=secret).encode().ljust(4096, b"\0"))
            keys.append({"id": id, "secret": secret})
    truth.write_text(json.dumps(keys))


def run(command):
    began = time.monotonic()
    code = subprocess.run(command, stdin=subprocess.DEVNULL).returncode
    took = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"\n{used.ru_utime + used.ru_stime:.3f} {took:.3f} {used.ru_maxrss}", file=sys.stderr)
    return code


def akia(output):
    for leak in json.loads(output.read_text())["leaks"]:
        commits = {place["git"]["commit"] for place in leak["places"] if place.get("git", {}).get("commit")}
        shown = leak.get("secret")
        if leak["class"] == "real" and "access_key_id" in leak:
            yield leak["access_key_id"], shown and shown.split("…")[0], commits


def kingfisher(output):
    for finding in json.loads(output.read_text())["findings"]:
        found = finding["finding"]
        commit = found.get("git_metadata", {}).get("commit", {}).get("id")
        yield found["snippet"], found.get("dependent_captures", {}).get("AWS_SECRET_ACCESS_KEY"), {commit}


def judge(truth, tool, output):
    keys = {one["id"]: one for one in json.loads(truth.read_text())}
    ids, pairs, commits, others = set(), set(), set(), set()
    for id, secret, seen in {"akia": akia, "kingfisher": kingfisher}[tool](output):
        one = keys.get(id)
        if one is None:
            others.add(id)
            continue
        ids.add(id)
        # akia shows the first characters of a secret and no more.
        if secret and one["secret"].startswith(secret):
            pairs.add(id)
        if one.get("commit") in seen:
            commits.add(id)
    print(len(keys), len(ids), len(pairs), len(commits), len(others), sep="\t")


def main():
    verb, *rest = sys.argv[1:]
    paths = [pathlib.Path(word) for word in rest]
    if verb == "plant":
        plant(*paths)
    elif verb == "plant-image":
        plant_image(*paths)
    elif verb == "run":
        sys.exit(run(rest))
    elif verb == "judge":
        judge(paths[0], rest[1], paths[2])
    else:
        sys.exit(__doc__)


main()
