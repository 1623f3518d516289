"""A second opinion on credential reports: makes them up, and judges them by itself, with Python's csv and datetime only.

  report_judge.py SEED COUNT FOLDER    writes FOLDER/NNNNN.csv and FOLDER/expected.json: account -> [[rule, user], ...]

The limits are those that akia has by itself: 90 days of age, 45 days without use, 90 days of rest for the root user.
"""

import csv
import io
import json
import random
import sys
from datetime import datetime, timedelta, timezone

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=timezone.utc)
HEADER = (
    "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,"
    "mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,"
    "access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,"
    "access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,"
    "cert_2_last_rotated"
).split(",")


def moment(rng):
    """Often right at a limit, to the second."""
    days = rng.choice([0, 1, 44, 45, 46, 89, 90, 91, 400, rng.randrange(0, 3000)])
    return NOW - timedelta(days=days, seconds=rng.choice([-1, 0, 1, 3600, 82_800]) if days else rng.randrange(0, 3600))


def written(at, rng):
    return at.strftime("%Y-%m-%dT%H:%M:%S") + rng.choice(["+00:00", "Z"])


def slot(rng):
    if rng.random() < 0.4:
        return ["false", "N/A", "N/A", "N/A", "N/A"]
    active = rng.random() < 0.7
    used = [written(moment(rng), rng), "eu-west-1", "s3"] if rng.random() < 0.7 else ["N/A", "N/A", "N/A"]
    return [str(active).lower(), written(moment(rng), rng), *used]


def row(rng, account, name):
    is_root = name == "<root_account>"
    arn = f"arn:aws:iam::{account}:root" if is_root else f"arn:aws:iam::{account}:user/{name}"
    enabled = "not_supported" if is_root else rng.choice(["true", "false"])
    last = rng.choice([written(moment(rng), rng), "no_information"]) if enabled != "false" else "N/A"
    changed = "not_supported" if is_root else "N/A"
    mfa = rng.choice(["true", "false"])
    created = written(NOW - timedelta(days=3500), rng)
    keys = [*slot(rng), *slot(rng)]
    if is_root and rng.random() < 0.6:
        keys = ["false", "N/A", "N/A", "N/A", "N/A"] * 2
    return [name, arn, created, enabled, last, changed, changed, mfa, *keys, "false", "N/A", "false", "N/A"]


def read(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text[:1].isdigit() else None


def judge(record):
    """The rules that one row breaks, by the words of the documentation."""
    broken = set()
    keys = [n for n in "12" if read(record[f"access_key_{n}_last_rotated"]) or record[f"access_key_{n}_active"] == "true"]
    active = [n for n in keys if record[f"access_key_{n}_active"] == "true"]
    if record["user"] == "<root_account>":
        if keys:
            broken.add("root-key")
        uses = [read(record["password_last_used"])] + [read(record[f"access_key_{n}_last_used_date"]) for n in keys]
        if any(use and NOW - use <= timedelta(days=90) for use in uses):
            broken.add("root-used")
        return broken
    for n in active:
        made, used = read(record[f"access_key_{n}_last_rotated"]), read(record[f"access_key_{n}_last_used_date"])
        if NOW - made > timedelta(days=90):
            broken.add("key-age")
        if used and NOW - used > timedelta(days=45):
            broken.add("key-unused")
        if not used and NOW - made > timedelta(days=45):
            broken.add("key-never-used")
    if len(active) == 2:
        broken.add("two-active-keys")
    if record["password_enabled"] == "true" and record["mfa_active"] == "false" and active:
        broken.add("console-without-mfa")
    return broken


def main():
    seed, count, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    rng = random.Random(seed)
    expected = {}
    for number in range(count):
        account = f"{100_000_000_000 + number}"
        names = ["<root_account>", *(f"user{rng.choice(['', ',', '=,', '+@.'])}{n}" for n in range(rng.randrange(0, 6)))]
        text = io.StringIO()
        table = csv.writer(text, lineterminator=rng.choice(["\n", "\r\n"]))
        table.writerow(HEADER)
        rows = [row(rng, account, name) for name in names]
        table.writerows(rows)
        with open(f"{folder}/{number:05}.csv", "w", newline="") as file:
            file.write(text.getvalue())
        found = []
        for record in csv.DictReader(io.StringIO(text.getvalue())):
            user = "root" if record["user"] == "<root_account>" else record["user"]
            found += [[rule, user] for rule in sorted(judge(record))]
        expected[account] = sorted(found)
    with open(f"{folder}/expected.json", "w") as file:
        json.dump(expected, file)


main()
