"""Asks the real AWS CLI (version 1, from PyPI) whether it accepts commands. Nothing is sent: no command gets as far as a request.

stdin: a JSON list of {"argv": [words behind "aws"], "cli": "any" | "v2", "shell": rendered line or null}
stdout: a JSON list with null for an accepted command, else the reason.

A service command runs through the AWS CLI's own parser up to the point where it would make the request. There its parameters are
validated against the service's model, as the client would, and `--query` must find something in a sample of the operation's output.
`aws configure` runs for real, in a temporary folder. A command marked v2 must be unknown to version 1, so that the mark itself is
checked.
"""

import contextlib
import datetime
import io
import json
import os
import shlex
import sys
import tempfile


def main():
    cases = json.load(sys.stdin)
    with tempfile.TemporaryDirectory(prefix="akia-judge-") as folder:
        verdicts = judge_all(cases, folder)
    json.dump(verdicts, sys.stdout)


def judge_all(cases, folder):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["HOME"] = folder
    os.environ["AWS_CONFIG_FILE"] = os.path.join(folder, "config")
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.path.join(folder, "credentials")
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    # An endpoint that answers nobody, should a command ever get that far.
    os.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
    os.environ["AWS_MAX_ATTEMPTS"] = "1"
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"

    names = {"default"}
    for case in cases:
        for word, following in zip(case["argv"], case["argv"][1:] + [""]):
            if word == "--profile":
                names.add(following)
            elif word.startswith("--profile="):
                names.add(word.split("=", 1)[1])
    sample = "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = none\n"
    with open(os.environ["AWS_SHARED_CREDENTIALS_FILE"], "w", encoding="utf-8") as file:
        for name in sorted(names):
            file.write(f"[{name}]\n{sample}\n")

    import jmespath
    from awscli import clidriver
    from awscli.botocore.utils import ArgumentGenerator
    from awscli.botocore.validate import validate_parameters

    samples = []

    def filled(sample):
        """The generator leaves blobs empty; a query that finds one has found something."""
        if isinstance(sample, dict):
            return {name: filled(value) for name, value in sample.items()}
        if isinstance(sample, list):
            return [filled(value) for value in sample]
        if isinstance(sample, datetime.datetime):
            return sample.isoformat()
        return "sample" if sample is None else sample

    def invoke(self, service_name, operation_name, parameters, parsed_globals):
        operation = self._session.get_service_model(service_name).operation_model(operation_name)
        if operation.input_shape is not None:
            validate_parameters(parameters, operation.input_shape)
        output = operation.output_shape
        generator = ArgumentGenerator(use_member_names=True)
        samples.append(filled(generator.generate_skeleton(output)) if output else {})
        return 0

    clidriver.CLIOperationCaller.invoke = invoke
    driver = clidriver.create_clidriver()

    def run(argv):
        out, err = io.StringIO(), io.StringIO()
        sys.stdin = io.StringIO("\n" * 8)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = driver.main(argv)
            except SystemExit as exit:
                code = exit.code
        return code, out.getvalue(), err.getvalue()

    def judge(case):
        argv = case["argv"]
        if case["shell"] is not None and shlex.split(case["shell"]) != ["aws"] + argv:
            return "the rendered line does not split into the words again"
        if case["cli"] == "v2":
            code, _, err = run(argv)
            return None if code not in (0, None) and "Invalid choice" in err else "version 1 knows it: the mark is wrong"
        if argv[0] == "configure":
            code, _, err = run(argv)
            return None if code in (0, None) else f"exit {code}: {err.strip()[:300]}"
        samples.clear()
        code, _, err = run(argv)
        if code not in (0, None):
            return f"exit {code}: {err.strip()[:300]}"
        if not samples:
            return "it never came to a request"
        if "--query" in argv:
            query = argv[argv.index("--query") + 1]
            try:
                found = jmespath.search(query, samples[0])
            except jmespath.exceptions.JMESPathError as error:
                return f"the query is malformed: {error}"
            flat = [found]
            while any(isinstance(item, list) for item in flat):
                flat = [part for item in flat for part in (item if isinstance(item, list) else [item])]
            if not flat or any(item is None for item in flat):
                return f"the query finds nothing: {query}"
        return None

    return [judge(case) for case in cases]


main()
