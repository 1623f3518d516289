"""What botocore, the core of the AWS CLI, sees in AWS files. Run by tests/profile_oracles.rs.

Standard input: a JSON list of {"kind": "credentials" | "config", "bytes": base64} or
{"credentials": base64, "config": base64, "profile": name}. Standard output: a JSON list of answers, in the same order.
"""

import base64
import json
import os
import sys
import tempfile

try:
    # awscli 1.4x ships botocore inside itself and makes it importable.
    import awscli  # noqa: F401
except ImportError:
    pass
import botocore.configloader
import botocore.exceptions
import botocore.session


def one_file(path, kind):
    try:
        if kind == "config":
            loaded = botocore.configloader.load_config(path)
            return {
                "profiles": loaded["profiles"],
                "sso_sessions": sorted(loaded["sso_sessions"]),
                "services": sorted(loaded["services"]),
            }
        return {"profiles": botocore.configloader.raw_config_parse(path), "sso_sessions": [], "services": []}
    except botocore.exceptions.ConfigParseError as error:
        # The message may repeat a line of the file; its kind is enough.
        return {"error": type(error.kwargs["error"]).__name__}


def both_files(credentials, config, profile):
    session = botocore.session.Session(profile=profile)
    session.set_config_variable("credentials_file", credentials)
    session.set_config_variable("config_file", config)
    answer = {"settings": session.full_config["profiles"].get(profile)}
    try:
        found = session.get_credentials()
    except botocore.exceptions.BotoCoreError as error:
        answer["refused"] = type(error).__name__
        return answer
    if found is not None and not hasattr(found, "_refresh_using"):
        answer.update(method=found.method, id=found.access_key, secret=found.secret_key, token=found.token)
    elif found is not None:
        answer.update(method=found.method)
    return answer


def main():
    with tempfile.TemporaryDirectory() as folder:
        paths = {kind: os.path.join(folder, kind) for kind in ("credentials", "config")}
        answers = []
        for case in json.load(sys.stdin):
            if "kind" in case:
                with open(paths[case["kind"]], "wb") as file:
                    file.write(base64.b64decode(case["bytes"]))
                answers.append(one_file(paths[case["kind"]], case["kind"]))
            else:
                for kind, path in paths.items():
                    with open(path, "wb") as file:
                        file.write(base64.b64decode(case[kind]))
                answers.append(both_files(paths["credentials"], paths["config"], case["profile"]))
        json.dump(answers, sys.stdout)


main()
