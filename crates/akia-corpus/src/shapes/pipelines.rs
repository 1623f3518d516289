//! Builds, logs, histories of shells.

use super::Make;
use super::code::one;
use crate::{Dice, Key, Planted, Prefix, encode};

pub(super) const ALL: &[(&str, Make)] = &[
    ("GitHub workflow", |dice| {
        one(
            dice,
            ".github/workflows/deploy.yml",
            "jobs:\n  deploy:\n    runs-on: ubuntu-latest\n    env:\n      AWS_ACCESS_KEY_ID: {id}\n      AWS_SECRET_ACCESS_KEY: {secret}\n",
        )
    }),
    ("GitHub action inputs", |dice| {
        one(
            dice,
            ".github/workflows/ci.yml",
            "      - uses: aws-actions/configure-aws-credentials@v4\n        with:\n          aws-access-key-id: {id}\n          aws-secret-access-key: {secret}\n          aws-region: us-east-1\n",
        )
    }),
    ("GitLab variables", |dice| {
        one(
            dice,
            ".gitlab-ci.yml",
            "variables:\n  AWS_ACCESS_KEY_ID: \"{id}\"\n  AWS_SECRET_ACCESS_KEY: \"{secret}\"\n",
        )
    }),
    ("Travis", |dice| {
        one(dice, ".travis.yml", "env:\n  global:\n    - ARTIFACTS_KEY={id}\n    - ARTIFACTS_SECRET={secret}\n")
    }),
    ("Jenkins credentials", |dice| {
        one(
            dice,
            "credentials.xml",
            "<com.cloudbees.jenkins.plugins.awscredentials.AWSCredentialsImpl>\n  <scope>GLOBAL</scope>\n  <id>aws</id>\n  <accessKey>{id}</accessKey>\n  <secretKey>{secret}</secretKey>\n</com.cloudbees.jenkins.plugins.awscredentials.AWSCredentialsImpl>\n",
        )
    }),
    ("Jenkinsfile", |dice| {
        one(
            dice,
            "Jenkinsfile",
            "pipeline {\n  environment {\n    AWS_ACCESS_KEY_ID = '{id}'\n    AWS_SECRET_ACCESS_KEY = '{secret}'\n  }\n}\n",
        )
    }),
    ("buildspec", |dice| {
        one(dice, "buildspec.yml", "version: 0.2\nenv:\n  variables:\n    KEY_ID: {id}\n    KEY_SECRET: {secret}\n")
    }),
    ("log with timestamps", log),
    ("shell history", |dice| {
        one(
            dice,
            ".bash_history",
            "ls -la\nexport AWS_ACCESS_KEY_ID={id}\ngit status\nexport AWS_SECRET_ACCESS_KEY={secret}\naws s3 ls\n",
        )
    }),
    ("shell history on one line", |dice| {
        one(
            dice,
            ".zsh_history",
            ": 1700000000:0;AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={secret} terraform apply -auto-approve\n",
        )
    }),
    ("set -x trace", |dice| {
        one(
            dice,
            "trace.log",
            "+ docker run -e AWS_ACCESS_KEY_ID={id} -e AWS_SECRET_ACCESS_KEY={secret} image:latest\n",
        )
    }),
    ("crontab", |dice| {
        one(
            dice,
            "crontab",
            "0 3 * * * AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={secret} /usr/local/bin/backup >/dev/null\n",
        )
    }),
    ("patch", patch),
    ("access log", access_log),
    ("Authorization header", authorization),
    ("ANSI colours", |dice| {
        one(
            dice,
            "build.log",
            "\u{1b}[32mAWS_ACCESS_KEY_ID\u{1b}[0m=\u{1b}[33m{id}\u{1b}[0m\n\u{1b}[32mAWS_SECRET_ACCESS_KEY\u{1b}[0m=\u{1b}[33;1m{secret}\u{1b}[0m\n",
        )
    }),
];

fn log(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let mut text = String::new();
    for (n, line) in [
        "Run ./deploy.sh".to_owned(),
        format!("commit {}", dice.hex(40)),
        format!("AWS_ACCESS_KEY_ID: {}", key.id),
        format!("##[debug]{}", dice.sentence()),
        format!("AWS_SECRET_ACCESS_KEY: {}", key.secret),
        "Done".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        text += &format!("2024-05-01T10:00:0{n}.1234567Z {line}\n");
    }
    Planted::new("job-logs.txt", text).pairs([&key])
}

fn patch(dice: &mut Dice) -> Planted {
    let (old, new) = (Key::new(dice), Key::new(dice));
    let text = format!(
        "diff --git a/.env b/.env\nindex {}..{} 100644\n--- a/.env\n+++ b/.env\n@@ -1,2 +1,2 @@\n-AWS_ACCESS_KEY_ID={}\n-AWS_SECRET_ACCESS_KEY={}\n+AWS_ACCESS_KEY_ID={}\n+AWS_SECRET_ACCESS_KEY={}\n",
        dice.hex(7),
        dice.hex(7),
        old.id,
        old.secret,
        new.id,
        new.secret
    );
    Planted::new("0001-rotate.patch", text).pairs([&old, &new])
}

fn access_log(dice: &mut Dice) -> Planted {
    let (key, lone) = (Key::new(dice), Key::with(dice, Prefix::Asia));
    let text = format!(
        "10.0.0.1 - - [01/May/2024:10:00:00 +0000] \"GET /login?next=%2Fhome%3Fkey%3D{}%26secret%3D{} HTTP/1.1\" 302 0\n10.0.0.2 - - [01/May/2024:10:00:01 +0000] \"GET /o?X-Amz-Credential={}%2F20240501%2Fus-east-1%2Fs3%2Faws4_request HTTP/1.1\" 200 17\n",
        key.id,
        encode::percent(&key.secret),
        lone.id
    );
    Planted::new("access.log", text).pairs([&key]).lone(&lone)
}

fn authorization(dice: &mut Dice) -> Planted {
    let (a, b) = (Key::new(dice), Key::with(dice, Prefix::Asia));
    let text = format!(
        "> PUT /o HTTP/1.1\n> Authorization: AWS4-HMAC-SHA256 Credential={}/20240501/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature={}\n> Authorization: AWS {}:{}\n",
        a.id,
        dice.hex(64),
        b.id,
        encode::base64(&dice.bytes(20))
    );
    Planted::new("curl.log", text).lone(&a).lone(&b)
}
