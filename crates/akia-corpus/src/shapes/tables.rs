//! Tables and documents of data.

use serde_json::json;

use super::Make;
use crate::{Dice, Key, Planted, encode};

pub(super) const ALL: &[(&str, Make)] = &[
    ("console .csv", console),
    ("console .csv of users", users),
    ("root key file", root_key),
    ("table in columns", columns),
    ("tab-separated table", tabs),
    ("Markdown table", markdown),
    ("SQL dump", sql),
    ("SQL COPY", copy),
    ("JSON objects", objects),
    ("JSON objects on one line", one_line),
    ("JSON with the secret first", secret_first),
    ("JSON of two arrays", two_arrays),
    ("JSON Lines", json_lines),
    ("CreateAccessKey answer", created),
    ("HAR", har),
    ("notebook", notebook),
    ("protobuf", protobuf),
];

fn keys(dice: &mut Dice, count: usize) -> Vec<Key> {
    (0..count).map(|_| Key::new(dice)).collect()
}

fn console(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    Planted::new("accessKeys.csv", format!("\u{feff}Access key ID,Secret access key\r\n{},{}", key.id, key.secret))
        .pairs([&key])
}

fn users(dice: &mut Dice) -> Planted {
    let keys = keys(dice, 5);
    let mut text = "User name,Password,Access key ID,Secret access key,Console login link\n".to_owned();
    for (n, key) in keys.iter().enumerate() {
        text += &format!(
            "user{n},,{},{},https://{}.signin.aws.amazon.com/console\n",
            key.id,
            key.secret,
            100_000_000_000_u64 + n as u64
        );
    }
    Planted::new("new_user_credentials.csv", text).pairs(&keys)
}

fn root_key(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    Planted::new("rootkey.csv", format!("AWSAccessKeyId={}\nAWSSecretKey={}\n", key.id, key.secret)).pairs([&key])
}

fn columns(dice: &mut Dice) -> Planted {
    let keys = keys(dice, 4);
    let mut text = "id;key;commit;secret;note\n".to_owned();
    for (n, key) in keys.iter().enumerate() {
        text += &format!("{n};{};{};{};\"{}\"\n", key.id, dice.hex(40), key.secret, dice.sentence());
    }
    Planted::new("keys.csv", text).pairs(&keys)
}

fn tabs(dice: &mut Dice) -> Planted {
    let keys = keys(dice, 3);
    let rows: Vec<String> = keys.iter().map(|key| format!("{}\t{}\tactive", key.secret, key.id)).collect();
    Planted::new("keys.tsv", rows.join("\n")).pairs(&keys)
}

fn markdown(dice: &mut Dice) -> Planted {
    let keys = keys(dice, 3);
    let mut text = "# Accounts\n\n| who | key | secret |\n|---|---|---|\n".to_owned();
    for (who, key) in ["alice", "bob", "ci"].iter().zip(&keys) {
        text += &format!("| {who} | `{}` | `{}` |\n", key.id, key.secret);
    }
    Planted::new("docs/accounts.md", text).pairs(&keys)
}

fn sql(dice: &mut Dice) -> Planted {
    let keys = keys(dice, 3);
    let rows: Vec<String> = keys
        .iter()
        .enumerate()
        .map(|(n, key)| format!("({n},'bucket-{n}','{}','{}','2023-01-0{}')", key.id, key.secret, n + 1))
        .collect();
    Planted::new(
        "dump.sql",
        format!(
            "CREATE TABLE `stores` (`id` int, `access_key` varchar(32));\nINSERT INTO `stores` VALUES {};\n",
            rows.join(",")
        ),
    )
    .pairs(&keys)
}

fn copy(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!(
        "COPY events FROM 's3://data/events'\nCREDENTIALS 'aws_access_key_id={};aws_secret_access_key={}'\nGZIP;\n",
        key.id, key.secret
    );
    Planted::new("load.sql", text).pairs([&key])
}

fn objects(dice: &mut Dice) -> Planted {
    let keys = keys(dice, 3);
    let all: Vec<_> = keys
        .iter()
        .map(|key| json!({"accessKeyId": key.id, "secretAccessKey": key.secret, "region": "us-east-1"}))
        .collect();
    Planted::new("accounts.json", serde_json::to_string_pretty(&all).unwrap_or_default()).pairs(&keys)
}

fn one_line(dice: &mut Dice) -> Planted {
    let keys = keys(dice, 4);
    let all: Vec<_> = keys.iter().map(|key| json!({"id": key.id, "token": key.secret})).collect();
    Planted::new("all.json", json!(all).to_string()).pairs(&keys)
}

fn secret_first(dice: &mut Dice) -> Planted {
    let keys = keys(dice, 3);
    let all: Vec<String> =
        keys.iter().map(|key| format!("{{\"secret\":\"{}\",\"key\":\"{}\"}}", key.secret, key.id)).collect();
    Planted::new("secret-first.json", format!("[{}]", all.join(","))).pairs(&keys)
}

fn two_arrays(dice: &mut Dice) -> Planted {
    let keys = keys(dice, 6);
    let ids: Vec<&str> = keys.iter().map(|key| key.id.as_str()).collect();
    let secrets: Vec<&str> = keys.iter().map(|key| key.secret.as_str()).collect();
    Planted::new(
        "pool.json",
        serde_json::to_string_pretty(&json!({"ids": ids, "secrets": secrets})).unwrap_or_default(),
    )
    .pairs(&keys)
}

fn json_lines(dice: &mut Dice) -> Planted {
    let keys = keys(dice, 4);
    let rows: Vec<String> = keys
        .iter()
        .map(|key| {
            json!({"event": "created", "access_key_id": key.id, "sha": dice.hex(40), "secret_access_key": key.secret})
                .to_string()
        })
        .collect();
    Planted::new("events.jsonl", rows.join("\n")).pairs(&keys)
}

fn created(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let answer = json!({"AccessKey": {"UserName": "deploy", "AccessKeyId": key.id, "Status": "Active", "SecretAccessKey": key.secret, "CreateDate": "2024-05-01T10:00:00+00:00"}});
    Planted::new("key.json", serde_json::to_string_pretty(&answer).unwrap_or_default()).pairs([&key])
}

fn har(dice: &mut Dice) -> Planted {
    let (key, signer) = (Key::new(dice), Key::new(dice));
    let body = json!({"accessKeyId": key.id, "secretAccessKey": key.secret}).to_string();
    let url = format!(
        "https://b.s3.amazonaws.com/o?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F20240501%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature={}",
        signer.id,
        dice.hex(64)
    );
    let log = json!({"log": {"entries": [
        {"request": {"url": url, "headers": [{"name": "x-request-id", "value": dice.hex(40)}]}},
        {"response": {"content": {"mimeType": "application/json", "text": body}}},
    ]}});
    Planted::new("session.har", log.to_string()).pairs([&key]).lone(&signer)
}

fn notebook(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let lines = json!([
        "import boto3\n",
        format!("session = boto3.Session(aws_access_key_id=\"{}\",\n", key.id),
        format!("    aws_secret_access_key=\"{}\")\n", key.secret),
    ]);
    let image = encode::base64(&dice.bytes(600));
    let book = json!({"cells": [{"cell_type": "code", "source": lines, "outputs": [{"data": {"image/png": image}}]}], "nbformat": 4});
    Planted::new("analysis.ipynb", serde_json::to_string_pretty(&book).unwrap_or_default()).pairs([&key])
}

fn protobuf(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let mut bytes = dice.bytes(200);
    for (tag, value) in [(0x0a, "s3"), (0x12, key.id.as_str()), (0x1a, key.secret.as_str()), (0x22, "eu-west-1")] {
        bytes.push(tag);
        bytes.push(value.len() as u8);
        bytes.extend(value.as_bytes());
    }
    bytes.extend([0; 16]);
    Planted::new("state.pb", bytes).pairs([&key])
}
