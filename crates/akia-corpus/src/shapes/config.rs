//! Settings of programs.

use super::Make;
use crate::{Dice, Key, Planted, encode};

pub(super) const ALL: &[(&str, Make)] = &[
    ("credentials", credentials),
    ("credentials with CRLF", |dice| {
        credentials(dice)
            .encoded(".aws/credentials", |text| String::from_utf8_lossy(text).replace('\n', "\r\n").into_bytes())
    }),
    ("credentials with comments", commented),
    ("config with the secret first", secret_first),
    ("config with settings between", settings_between),
    ("env file", env_file),
    ("env file with exports", exports),
    ("env file of two stages", two_stages),
    ("Java properties", properties),
    ("escaped properties", escaped_properties),
    ("YAML", yaml),
    ("YAML block scalars", yaml_blocks),
    ("TOML", toml),
    (".s3cfg", s3cfg),
    (".boto", boto),
    ("rclone.conf", rclone),
    ("passwd-s3fs", s3fs),
    ("URL with a percent-encoded secret", url),
    ("logstash", logstash),
    ("fluentd", fluentd),
    ("core-site.xml", core_site),
    ("XML attributes", attributes),
    ("Maven settings", maven),
    ("web.config", web_config),
    ("property list", plist),
    ("systemd unit", systemd),
    ("numbered properties", numbered),
];

fn credentials(dice: &mut Dice) -> Planted {
    let (a, b) = (Key::new(dice), Key::new(dice));
    let text = format!(
        "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n\n[profile-{}]\naws_access_key_id={}\naws_secret_access_key={}\nregion=eu-west-1\n",
        a.id,
        a.secret,
        dice.below(99),
        b.id,
        b.secret
    );
    Planted::new(".aws/credentials", text).pairs([&a, &b])
}

fn commented(dice: &mut Dice) -> Planted {
    let (old, new) = (Key::new(dice), Key::new(dice));
    let text = format!(
        "# {}\n[default]\n#aws_access_key_id = {}\n#aws_secret_access_key = {}\n\taws_access_key_id\t=\t{}   ; current\n\taws_secret_access_key\t=\t{}\n",
        dice.sentence(),
        old.id,
        old.secret,
        new.id,
        new.secret
    );
    Planted::new("home/.aws/credentials.bak", text).pairs([&old, &new])
}

fn secret_first(dice: &mut Dice) -> Planted {
    let (a, b) = (Key::new(dice), Key::new(dice));
    let text = format!(
        "[a]\naws_secret_access_key = {}\naws_access_key_id = {}\n[b]\naws_secret_access_key = {}\naws_access_key_id = {}\n",
        a.secret, a.id, b.secret, b.id
    );
    Planted::new(".aws/config", text).pairs([&a, &b])
}

fn settings_between(dice: &mut Dice) -> Planted {
    let (a, b) = (Key::new(dice), Key::new(dice));
    let block = |name: &str, key: &Key, note: &str| {
        format!(
            "[profile {name}]\naws_access_key_id = {}\nregion = us-east-1\noutput = json\n# {note}\ncli_pager =\naws_secret_access_key = {}\nmfa_serial = arn:aws:iam::123456789012:mfa/x\n\n",
            key.id, key.secret
        )
    };
    let text = block("one", &a, &dice.sentence()) + &block("two", &b, &dice.sentence());
    Planted::new("etc/aws/config", text).pairs([&a, &b])
}

fn env_file(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!(
        "APP_ENV=production\nAPP_KEY=base64:{}\nAWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\nAWS_DEFAULT_REGION=us-east-1\nAWS_BUCKET=b{}\n",
        encode::base64(&dice.bytes(32)),
        key.id,
        key.secret,
        dice.below(1000)
    );
    Planted::new(".env", text).pairs([&key])
}

fn exports(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text =
        format!("#!/bin/sh\nexport AWS_ACCESS_KEY_ID=\"{}\"\nexport AWS_SECRET_ACCESS_KEY='{}'\n", key.id, key.secret);
    Planted::new("env.sh", text).pairs([&key])
}

fn two_stages(dice: &mut Dice) -> Planted {
    let (production, staging) = (Key::new(dice), Key::new(dice));
    let text = format!(
        "PROD_AWS_ACCESS_KEY_ID={}\nSTAGING_AWS_ACCESS_KEY_ID={}\n\nSTAGING_AWS_SECRET_ACCESS_KEY={}\nPROD_AWS_SECRET_ACCESS_KEY={}\n",
        production.id, staging.id, staging.secret, production.secret
    );
    Planted::new("deploy/.env.stages", text).pairs([&production, &staging])
}

fn properties(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!(
        "spring.application.name=orders\ncloud.aws.credentials.access-key={}\ncloud.aws.credentials.secret-key={}\ncloud.aws.region.static=eu-central-1\nbuild.commit={}\n",
        key.id,
        key.secret,
        dice.hex(40)
    );
    Planted::new("src/main/resources/application.properties", text).pairs([&key])
}

fn escaped_properties(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!(
        "#{}\nendpoint=https\\://s3.amazonaws.com\naws.accessKeyId\\={}\naws.secretKey={}\n",
        dice.sentence(),
        key.id,
        key.secret.replace('/', "\\/").replace('+', "\\u002b")
    );
    Planted::new("conf/saved.properties", text).pairs([&key])
}

fn yaml(dice: &mut Dice) -> Planted {
    let (a, b) = (Key::new(dice), Key::new(dice));
    let text = format!(
        "storage:\n  primary:\n    type: s3\n    access_key: {}\n    secret_key: {}\n    bucket: main\n  replica:\n    type: s3\n    access_key: '{}'\n    secret_key: \"{}\"\n",
        a.id, a.secret, b.id, b.secret
    );
    Planted::new("config/storage.yml", text).pairs([&a, &b])
}

fn yaml_blocks(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!(
        "aws:\n  accessKeyId: >-\n    {}\n  secretAccessKey: |\n    {}\n  region: us-west-2\n",
        key.id, key.secret
    );
    Planted::new("config/blocks.yaml", text).pairs([&key])
}

fn toml(dice: &mut Dice) -> Planted {
    let (a, b) = (Key::new(dice), Key::new(dice));
    let text = format!(
        "[cache.s3]\naccess_key_id = \"{}\"\nsecret_access_key = \"{}\"\n\n[[mirror]]\ncredentials = {{ id = \"{}\", secret = \"{}\" }}\n",
        a.id, a.secret, b.id, b.secret
    );
    Planted::new("config.toml", text).pairs([&a, &b])
}

fn s3cfg(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!(
        "[default]\naccess_key = {}\naccess_token = \nadd_encoding_exts = \nbucket_location = US\ngpg_passphrase = {}\nguess_mime_type = True\nhost_base = s3.amazonaws.com\nsecret_key = {}\nsend_chunk = 65536\n",
        key.id,
        dice.hex(16),
        key.secret
    );
    Planted::new(".s3cfg", text).pairs([&key])
}

fn boto(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!(
        "[Credentials]\naws_access_key_id = {}\naws_secret_access_key = {}\n\n[Boto]\nhttps_validate_certificates = True\n",
        key.id, key.secret
    );
    Planted::new(".boto", text).pairs([&key])
}

fn rclone(dice: &mut Dice) -> Planted {
    let (a, b) = (Key::new(dice), Key::new(dice));
    let remote = |name: &str, key: &Key| {
        format!(
            "[{name}]\ntype = s3\nprovider = AWS\naccess_key_id = {}\nsecret_access_key = {}\nregion = us-east-1\n\n",
            key.id, key.secret
        )
    };
    Planted::new(".config/rclone/rclone.conf", remote("backup", &a) + &remote("media", &b)).pairs([&a, &b])
}

fn s3fs(dice: &mut Dice) -> Planted {
    let (a, b) = (Key::new(dice), Key::new(dice));
    Planted::new("etc/passwd-s3fs", format!("{}:{}\nother-bucket:{}:{}\n", a.id, a.secret, b.id, b.secret))
        .pairs([&a, &b])
}

fn url(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!(
        "BACKUP_TARGET=s3://{}:{}@backups.example.com/daily?region=us-east-1\n",
        key.id,
        encode::percent(&key.secret)
    );
    Planted::new("backup.conf", text).pairs([&key])
}

fn logstash(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!(
        "output {{\n  s3 {{\n    access_key_id => \"{}\"\n    secret_access_key => \"{}\"\n    region => \"eu-west-1\"\n  }}\n}}\n",
        key.id, key.secret
    );
    Planted::new("logstash/pipeline.conf", text).pairs([&key])
}

fn fluentd(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!(
        "<match **>\n  @type s3\n  aws_key_id {}\n  aws_sec_key {}\n  s3_bucket logs\n</match>\n",
        key.id, key.secret
    );
    Planted::new("fluent.conf", text).pairs([&key])
}

fn core_site(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let property = |name: &str, value: &str| {
        format!("  <property>\n    <name>{name}</name>\n    <value>{value}</value>\n  </property>\n")
    };
    let text = format!(
        "<?xml version=\"1.0\"?>\n<configuration>\n{}{}</configuration>\n",
        property("fs.s3a.access.key", &key.id),
        property("fs.s3a.secret.key", &key.secret)
    );
    Planted::new("hadoop/core-site.xml", text).pairs([&key])
}

fn attributes(dice: &mut Dice) -> Planted {
    let (a, b) = (Key::new(dice), Key::new(dice));
    let text = format!(
        "<stores>\n  <s3 accessKey=\"{}\" secretKey=\"{}\" bucket=\"a\"/>\n  <s3 bucket=\"b\" secretKey='{}' accessKey='{}'/>\n</stores>\n",
        a.id, a.secret, b.secret, b.id
    );
    Planted::new("stores.xml", text).pairs([&a, &b])
}

fn maven(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!(
        "<settings>\n  <servers>\n    <server>\n      <id>releases</id>\n      <username>{}</username>\n      <password>{}</password>\n    </server>\n  </servers>\n</settings>\n",
        key.id, key.secret
    );
    Planted::new(".m2/settings.xml", text).pairs([&key])
}

fn web_config(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!(
        "<appSettings>\n  <add key=\"AWSAccessKey\" value=\"{}\" />\n  <add key=\"AWSSecretKey\" value=\"{}\" />\n</appSettings>\n",
        key.id, key.secret
    );
    Planted::new("Web.config", text).pairs([&key])
}

fn plist(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!(
        "<plist version=\"1.0\">\n<dict>\n\t<key>AWSAccessKeyId</key>\n\t<string>{}</string>\n\t<key>AWSSecretKey</key>\n\t<string>{}</string>\n</dict>\n</plist>\n",
        key.id, key.secret
    );
    Planted::new("ios/Info.plist", text).pairs([&key])
}

fn systemd(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!(
        "[Service]\nEnvironment=\"AWS_ACCESS_KEY_ID={}\" \"AWS_SECRET_ACCESS_KEY={}\"\nExecStart=/usr/bin/sync\n",
        key.id, key.secret
    );
    Planted::new("sync.service", text).pairs([&key])
}

fn numbered(dice: &mut Dice) -> Planted {
    let keys: Vec<Key> = (0..3).map(|_| Key::new(dice)).collect();
    let mut text = String::new();
    for (n, key) in keys.iter().enumerate() {
        text += &format!("s3.accessKey{} = {}\n", n + 1, key.id);
    }
    for (n, key) in keys.iter().enumerate().rev() {
        text += &format!("s3.secretKey{} = {}\n", n + 1, key.secret);
    }
    Planted::new("numbered.properties", text).pairs(&keys)
}
