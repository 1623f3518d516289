//! What describes machines and clusters.

use serde_json::json;

use super::Make;
use super::code::one;
use crate::{Dice, Key, Planted, encode};

pub(super) const ALL: &[(&str, Make)] = &[
    ("Terraform provider", |dice| {
        one(
            dice,
            "main.tf",
            "provider \"aws\" {\n  region     = \"us-west-2\"\n  access_key = \"{id}\"\n  secret_key = \"{secret}\"\n}\n",
        )
    }),
    ("Terraform variables", |dice| {
        one(
            dice,
            "terraform.tfvars",
            "aws_access_key = \"{id}\"\naws_secret_key = \"{secret}\"\nregion         = \"us-east-1\"\n",
        )
    }),
    ("Terraform state", terraform_state),
    ("CloudFormation outputs", outputs),
    ("Kubernetes Secret", kubernetes_data),
    ("Kubernetes Secret in plain", |dice| {
        one(
            dice,
            "secret-plain.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s3\nstringData:\n  accesskey: {id}\n  secretkey: {secret}\n",
        )
    }),
    ("Kubernetes Deployment", |dice| {
        one(
            dice,
            "deployment.yaml",
            "    spec:\n      containers:\n        - name: api\n          env:\n            - name: AWS_ACCESS_KEY_ID\n              value: \"{id}\"\n            - name: AWS_SECRET_ACCESS_KEY\n              value: \"{secret}\"\n",
        )
    }),
    ("Kubernetes list of Secrets", kubernetes_list),
    ("Helm values", |dice| {
        one(
            dice,
            "values.yaml",
            "velero:\n  credentials:\n    secretContents:\n      cloud: |\n        [default]\n        aws_access_key_id={id}\n        aws_secret_access_key={secret}\n",
        )
    }),
    ("Helm release", helm_release),
    ("Ansible variables", |dice| one(dice, "group_vars/all.yml", "ec2_access_key: {id}\nec2_secret_key: {secret}\n")),
    ("Ansible task", |dice| {
        one(dice, "tasks.yml", "- s3: aws_access_key={id} aws_secret_key={secret} bucket=b object=/o mode=put\n")
    }),
    ("Packer", |dice| {
        one(
            dice,
            "packer.json",
            "{\n  \"variables\": {\n    \"aws_access_key\": \"{id}\",\n    \"aws_secret_key\": \"{secret}\"\n  }\n}\n",
        )
    }),
    ("user data, packed", user_data),
    ("user data", |dice| {
        one(
            dice,
            "user-data.txt",
            "#cloud-config\nwrite_files:\n  - path: /root/.aws/credentials\n    content: |\n      [default]\n      aws_access_key_id = {id}\n      aws_secret_access_key = {secret}\n",
        )
    }),
    ("Compose list", |dice| {
        one(
            dice,
            "docker-compose.yml",
            "services:\n  api:\n    environment:\n      - AWS_ACCESS_KEY_ID={id}\n      - AWS_SECRET_ACCESS_KEY={secret}\n",
        )
    }),
    ("Compose map", |dice| {
        one(
            dice,
            "compose.yaml",
            "services:\n  api:\n    environment:\n      AWS_ACCESS_KEY_ID: {id}\n      AWS_SECRET_ACCESS_KEY: {secret}\n",
        )
    }),
    ("Dockerfile", |dice| {
        one(
            dice,
            "Dockerfile",
            "FROM alpine\nENV AWS_ACCESS_KEY_ID={id} \\\n    AWS_SECRET_ACCESS_KEY={secret}\nRUN apk add aws-cli\n",
        )
    }),
    ("docker inspect", docker_inspect),
    ("Lambda configuration", |dice| {
        one(
            dice,
            "function.json",
            "{\"FunctionName\": \"f\", \"CodeSha256\": \"RBSnrwKPq/2Tj6oI0W0EmSSTwkAqKqF0AmvRTTA6eXM=\", \"Environment\": {\"Variables\": {\"KEY\": \"{id}\", \"SECRET\": \"{secret}\"}}}",
        )
    }),
    ("Vagrantfile", |dice| {
        one(
            dice,
            "Vagrantfile",
            "config.vm.provider :aws do |aws, override|\n  aws.access_key_id = \"{id}\"\n  aws.secret_access_key = \"{secret}\"\nend\n",
        )
    }),
];

fn terraform_state(dice: &mut Dice) -> Planted {
    let keys: Vec<Key> = (0..3).map(|_| Key::new(dice)).collect();
    let resources: Vec<_> = keys
        .iter()
        .enumerate()
        .map(|(n, key)| {
            json!({"mode": "managed", "type": "aws_iam_access_key", "name": format!("k{n}"), "instances": [{"attributes": {
                "create_date": "2024-01-01T00:00:00Z", "encrypted_secret": null, "id": key.id, "key_fingerprint": null,
                "secret": key.secret, "ses_smtp_password_v4": encode::base64(&dice.bytes(33)), "status": "Active", "user": "u"}}]})
        })
        .collect();
    let state =
        json!({"version": 4, "serial": 7, "lineage": "8c0a6a3e-5d4b-9a4f-3f1e-0b7d9e1c2a3f", "resources": resources});
    Planted::new("terraform.tfstate", serde_json::to_string_pretty(&state).unwrap_or_default()).pairs(&keys)
}

fn outputs(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = json!({"Stacks": [{"Outputs": [
        {"OutputKey": "AccessKey", "OutputValue": key.id}, {"OutputKey": "SecretKey", "OutputValue": key.secret}]}]});
    Planted::new("stack.json", serde_json::to_string_pretty(&text).unwrap_or_default()).pairs([&key])
}

fn kubernetes_data(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: aws\ntype: Opaque\ndata:\n  AWS_ACCESS_KEY_ID: {}\n  AWS_SECRET_ACCESS_KEY: {}\n  REGION: dXMtZWFzdC0x\n",
        encode::base64(key.id.as_bytes()),
        encode::base64(key.secret.as_bytes())
    );
    Planted::new("k8s/secret.yaml", text).pairs([&key])
}

fn kubernetes_list(dice: &mut Dice) -> Planted {
    let keys: Vec<Key> = (0..3).map(|_| Key::new(dice)).collect();
    let items: Vec<_> = keys
        .iter()
        .enumerate()
        .map(|(n, key)| {
            // A value that was written with `echo` has a line break.
            json!({"kind": "Secret", "metadata": {"name": format!("s{n}"), "uid": "0b7d9e1c-5d4b-4a4f-8f1e-8c0a6a3e2a3f"}, "data": {
                "access-key": encode::base64(format!("{}\n", key.id).as_bytes()),
                "secret-key": encode::base64(format!("{}\n", key.secret).as_bytes())}})
        })
        .collect();
    Planted::new(
        "secrets.json",
        serde_json::to_string_pretty(&json!({"kind": "List", "items": items})).unwrap_or_default(),
    )
    .pairs(&keys)
}

fn helm_release(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let files: Vec<String> = (0..40).map(|_| dice.sentence()).collect();
    let release = json!({"name": "api", "chart": {"templates": files}, "config": {"aws": {"accessKey": key.id, "secretKey": key.secret}}, "manifest": dice.hex(2000)});
    let inner = encode::base64(&encode::gzip(release.to_string().as_bytes()));
    let text = format!(
        "apiVersion: v1\nkind: Secret\ntype: helm.sh/release.v1\ndata:\n  release: {}\n",
        encode::base64(inner.as_bytes())
    );
    Planted::new("release.yaml", text).pairs([&key])
}

fn user_data(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let script = format!(
        "#!/bin/bash\n# {}\nexport AWS_ACCESS_KEY_ID={}\nexport AWS_SECRET_ACCESS_KEY={}\naws s3 cp s3://b/o /o\n",
        dice.sentence(),
        key.id,
        key.secret
    );
    let text = format!("{{\"UserData\": {{\"Value\": \"{}\"}}}}", encode::base64(&encode::gzip(script.as_bytes())));
    Planted::new("instance-attribute.json", text).pairs([&key])
}

fn docker_inspect(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = json!([{"Id": dice.hex(64), "Image": format!("sha256:{}", dice.hex(64)), "Config": {"Env": [
        "PATH=/usr/bin", format!("AWS_ACCESS_KEY_ID={}", key.id), format!("AWS_SECRET_ACCESS_KEY={}", key.secret)]}}]);
    Planted::new("inspect.json", serde_json::to_string_pretty(&text).unwrap_or_default()).pairs([&key])
}
