"""What an auditor found, held against what is true of the keys (see `estate` in lab.py).

  audit.py run COMMAND...              runs a command; the last line on standard error is the memory it took, in KB
  audit.py judge TRUTH TOOL OUTPUT     -> for each question: question, right, missed, wrong, examples (tabs between)

Questions: "old" (an active key of more than 90 days), "unused" (an active key that was not used for 45 days, or never and
is older than that). A tool answers with keys, or with slots of a user; TOOL says how to read it.
"""

import csv
import json
import pathlib
import re
import resource
import subprocess
import sys

DAY = 86_400


def run(command):
    code = subprocess.run(command, stdin=subprocess.DEVNULL).returncode
    print(f"\n{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}", file=sys.stderr)
    return code


def truths(path):
    keys = json.loads(pathlib.Path(path).read_text())
    slots = {}
    for key in keys:
        slots.setdefault(key["user"], []).append(key)
        key["slot"] = (key["user"], len(slots[key["user"]]))
    old = {key["slot"] for key in keys if key["active"] and key["age_seconds"] > 90 * DAY}

    def is_unused(key):
        # A key that was never used is unused since it was made.
        idle = key["age_seconds"] if key["unused_seconds"] is None else key["unused_seconds"]
        return key["active"] and idle > 45 * DAY

    return keys, {"old": old, "unused": {key["slot"] for key in keys if is_unused(key)}}


def akia(keys, output):
    slots = {key["key"]: key["slot"] for key in keys}
    rules = {"key-age": "old", "key-unused": "unused", "key-never-used": "unused"}
    found = {"old": set(), "unused": set()}
    for finding in json.loads(pathlib.Path(output).read_text())["findings"]:
        question = rules.get(finding["rule"])
        if question and finding["access_key"] in slots:
            found[question].add(slots[finding["access_key"]])
    # akia tells a key that was never used apart, also a young one: the question asks for those of more than 45 days.
    young = {key["slot"] for key in keys if key["age_seconds"] <= 45 * DAY and key["unused_seconds"] is None}
    found["unused"] -= young
    return found


def custodian(keys, output):
    slots = {key["key"]: key["slot"] for key in keys}
    found = {}
    for policy, question in (("key-age", "old"), ("key-unused", "unused")):
        users = json.loads((pathlib.Path(output) / policy / "resources.json").read_text())
        found[question] = set()
        for user in users:
            report = user.get("c7n:credential-report", {}).get("access_keys", [])
            for key in user.get("c7n:matched-keys", []):
                # The filter on the credential report names no key, but a place in it.
                slot = slots.get(key.get("AccessKeyId")) or (user["UserName"], report.index(key) + 1)
                found[question].add(slot)
    return found


def prowler(keys, output):
    checks = {"iam_rotate_access_key_90_days": "old", "iam_user_accesskey_unused": "unused"}
    found = {"old": set(), "unused": set()}
    with next(pathlib.Path(output).glob("*.csv")).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter=";"):
            question = checks.get(row["CHECK_ID"])
            slot = re.search(r"[Uu]ser (\S+) has not (?:rotated|used) access key (\d)", row["STATUS_EXTENDED"])
            if question and row["STATUS"] == "FAIL" and slot:
                found[question].add((slot[1], int(slot[2])))
    return found


def judge(truth, tool, output):
    keys, true = truths(truth)
    sorts = {key["slot"]: key["sort"] for key in keys}
    found = {"akia": akia, "custodian": custodian, "prowler": prowler}[tool](keys, output)
    for question, expected in true.items():
        missed, wrong = expected - found[question], found[question] - expected
        names = sorted({sorts.get(slot, slot[0]) for slot in missed | wrong})
        print(question, len(expected & found[question]), len(missed), len(wrong), ",".join(names), sep="\t")


if sys.argv[1] == "run":
    sys.exit(run(sys.argv[2:]))
judge(*sys.argv[2:])
