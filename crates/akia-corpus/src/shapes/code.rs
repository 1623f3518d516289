//! Source code.

use super::Make;
use crate::{Dice, Key, Planted};

pub(super) const ALL: &[(&str, Make)] = &[
    ("Python keywords", |dice| {
        one(
            dice,
            "app.py",
            "import boto3\n\ns3 = boto3.client(\n    \"s3\",\n    aws_access_key_id=\"{id}\",\n    aws_secret_access_key=\"{secret}\",\n)\n",
        )
    }),
    ("Python positional", |dice| {
        one(dice, "up.py", "conn = S3Connection('{id}', '{secret}')\nbucket = conn.get_bucket('b')\n")
    }),
    ("Python dictionary", python_dictionary),
    ("JavaScript client", |dice| {
        one(
            dice,
            "s3.js",
            "const s3 = new S3Client({\n  region: 'us-east-1',\n  credentials: { accessKeyId: '{id}', secretAccessKey: '{secret}' },\n});\n",
        )
    }),
    ("JavaScript arrays", javascript_arrays),
    ("TypeScript settings", |dice| {
        one(
            dice,
            "environment.ts",
            "export const environment = {\n  production: true,\n  s3: {\n    bucketKey: `{id}`,\n    secret: `{secret}`,\n  },\n};\n",
        )
    }),
    ("minified JavaScript", minified),
    ("Java positional", |dice| {
        one(
            dice,
            "Storage.java",
            "AWSCredentials credentials = new BasicAWSCredentials(\n        \"{id}\",\n        \"{secret}\");\n",
        )
    }),
    ("Java constants", java_constants),
    ("Go positional", |dice| {
        one(
            dice,
            "main.go",
            "sess := session.New(&aws.Config{\n\tCredentials: credentials.NewStaticCredentials(\"{id}\", \"{secret}\", \"\"),\n})\n",
        )
    }),
    ("Ruby", |dice| {
        one(
            dice,
            "carrierwave.rb",
            "config.fog_credentials = {\n  :provider => 'AWS',\n  :aws_access_key_id => '{id}',\n  :aws_secret_access_key => '{secret}',\n}\n",
        )
    }),
    ("PHP array", |dice| {
        one(
            dice,
            "config.php",
            "<?php\nreturn array(\n  'key'    => '{id}',\n  'secret' => '{secret}',\n  'region' => 'us-east-1',\n);\n",
        )
    }),
    ("PHP defines", |dice| {
        one(
            dice,
            "wp-config.php",
            "define( 'AS3CF_AWS_ACCESS_KEY_ID', '{id}' );\ndefine( 'AS3CF_AWS_SECRET_ACCESS_KEY', '{secret}' );\n",
        )
    }),
    ("C#", |dice| {
        one(dice, "Upload.cs", "var client = new AmazonS3Client(\"{id}\", \"{secret}\", RegionEndpoint.USEast1);\n")
    }),
    ("Rust", |dice| {
        one(dice, "client.rs", "let credentials = Credentials::new(\"{id}\", \"{secret}\", None, None, \"static\");\n")
    }),
    ("C header", |dice| {
        one(dice, "secrets.h", "#pragma once\n#define AWS_KEY \"{id}\"\n#define AWS_SECRET \"{secret}\"\n")
    }),
    ("Scala of Spark", |dice| {
        one(
            dice,
            "Job.scala",
            "sc.hadoopConfiguration.set(\"fs.s3n.awsAccessKeyId\", \"{id}\")\nsc.hadoopConfiguration.set(\"fs.s3n.awsSecretAccessKey\", \"{secret}\")\n",
        )
    }),
    ("R", |dice| {
        one(
            dice,
            "load.R",
            "Sys.setenv(\"AWS_ACCESS_KEY_ID\" = \"{id}\",\n           \"AWS_SECRET_ACCESS_KEY\" = \"{secret}\")\n",
        )
    }),
    ("Swift", |dice| {
        one(
            dice,
            "App.swift",
            "let credentialsProvider = AWSStaticCredentialsProvider(accessKey: \"{id}\", secretKey: \"{secret}\")\n",
        )
    }),
    ("shell with aws configure", |dice| {
        one(
            dice,
            "setup.sh",
            "aws configure set aws_access_key_id {id}\naws configure set aws_secret_access_key {secret} --profile default\n",
        )
    }),
    ("PowerShell", |dice| {
        one(dice, "deploy.ps1", "Set-AWSCredential -AccessKey {id} -SecretKey {secret} -StoreAs ci\n")
    }),
    ("batch file", |dice| {
        one(dice, "run.bat", "@echo off\r\nset AWS_ACCESS_KEY_ID={id}\r\nset AWS_SECRET_ACCESS_KEY={secret}\r\n")
    }),
    ("comment between", comment_between),
];

/// One key in a text with places for its halves.
pub(super) fn one(dice: &mut Dice, file: &str, text: &str) -> Planted {
    let key = Key::new(dice);
    Planted::new(file, text.replace("{id}", &key.id).replace("{secret}", &key.secret)).pairs([&key])
}

fn python_dictionary(dice: &mut Dice) -> Planted {
    let (a, b) = (Key::new(dice), Key::new(dice));
    let text = format!(
        "ACCOUNTS = {{\n    'prod': {{'id': '{}', 'secret': '{}'}},\n    'dev': {{'secret': '{}', 'id': '{}'}},\n}}\n",
        a.id, a.secret, b.secret, b.id
    );
    Planted::new("accounts.py", text).pairs([&a, &b])
}

fn javascript_arrays(dice: &mut Dice) -> Planted {
    let keys: Vec<Key> = (0..4).map(|_| Key::new(dice)).collect();
    let list = |of: fn(&Key) -> &str| keys.iter().map(|key| format!("'{}'", of(key))).collect::<Vec<_>>().join(", ");
    let text = format!("const ids = [{}];\nconst secrets = [{}];\n", list(|key| &key.id), list(|key| &key.secret));
    Planted::new("pool.js", text).pairs(&keys)
}

fn minified(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let noise = |dice: &mut Dice| {
        (0..40)
            .map(|_| {
                format!(
                    "function {}({}){{return {}.{}}};",
                    dice.of("abcdefgh", 2),
                    dice.of("etnr", 1),
                    dice.of("etnr", 1),
                    dice.of("abcdefghijklmnop", 9)
                )
            })
            .collect::<String>()
    };
    let text = format!(
        "!function(e,t){{{}var n={{k:\"{}\",s:\"{}\",b:\"x\"}};{}}}(this);",
        noise(dice),
        key.id,
        key.secret,
        noise(dice)
    );
    Planted::new("dist/bundle.min.js", text).pairs([&key])
}

fn java_constants(dice: &mut Dice) -> Planted {
    let (a, b) = (Key::new(dice), Key::new(dice));
    let text = format!(
        "public final class Keys {{\n    static final String READER_ACCESS = \"{}\";\n    static final String READER_SECRET = \"{}\";\n    static final String BUILD = \"{}\";\n    static final String WRITER_ACCESS = \"{}\";\n    static final String WRITER_SECRET = \"{}\";\n}}\n",
        a.id,
        a.secret,
        dice.hex(40),
        b.id,
        b.secret
    );
    Planted::new("Keys.java", text).pairs([&a, &b])
}

fn comment_between(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let comment: String = (0..12).map(|_| format!("    // {}\n", dice.sentence())).collect();
    let text = format!("const accessKey = \"{}\"\n{comment}const secretKey = \"{}\"\n", key.id, key.secret);
    Planted::new("keys.go", text).pairs([&key])
}
