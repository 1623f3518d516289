//! Prose, and what is a leak without being a pair.

use serde_json::json;

use super::Make;
use crate::{Dice, Key, Planted, Prefix, encode};

pub(super) const ALL: &[(&str, Make)] = &[
    ("README", readme),
    ("chat export", chat),
    ("session credentials", session_profile),
    ("session exports", session_exports),
    ("AssumeRole answer", assumed),
    ("session URL", session_url),
    ("presigned URL", presigned),
    ("console screenshot text", console_text),
    ("halves far apart", far),
    ("halves far apart, several", far_several),
    ("lone id", |dice| lone(dice, Key::new)),
    ("lone id of the first years", |dice| lone(dice, Key::of_the_first_years)),
    ("lone bearer token", |dice| lone(dice, |dice| Key::with(dice, Prefix::Abia))),
    ("lone context-specific credential", |dice| lone(dice, |dice| Key::with(dice, Prefix::Acca))),
    ("ids among escapes", among_escapes),
    ("lone secret", lone_secret),
    ("lone secret in JSON", lone_secret_json),
    ("Bedrock API key, long-term", bedrock_long),
    ("Bedrock API key, short-term", bedrock_short),
    ("the id twice", id_twice),
];

fn readme(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!(
        "# Uploader\n\n{}.\n\n```sh\nexport AWS_ACCESS_KEY_ID={}   # mine\nexport AWS_SECRET_ACCESS_KEY={}\n./upload\n```\n\nCommit {}.\n",
        dice.sentence(),
        key.id,
        key.secret,
        dice.hex(40)
    );
    Planted::new("README.md", text).pairs([&key])
}

fn chat(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = json!([
        {"user": "U1", "text": format!("can you send me the keys? {}", dice.sentence()), "ts": "1700000000.000100"},
        {"user": "U2", "text": format!("sure: {} / {}", key.id, key.secret), "ts": "1700000001.000200"},
    ]);
    Planted::new("slack/2024-05-01.json", text.to_string()).pairs([&key])
}

/// A session token as STS makes them: its head, and some hundred random bytes.
fn token(dice: &mut Dice) -> String {
    let head = dice.one(&["IQoJb3JpZ2luX2Vj", "FwoGZXIvYXdzE"]);
    format!("{head}{}", encode::base64(&dice.bytes(300)))
}

fn session_profile(dice: &mut Dice) -> Planted {
    let (long, temporary) = (Key::new(dice), Key::with(dice, Prefix::Asia));
    let text = format!(
        "[long]\naws_access_key_id = {}\naws_secret_access_key = {}\n\n[session]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
        long.id,
        long.secret,
        temporary.id,
        temporary.secret,
        token(dice)
    );
    Planted::new("session/credentials", text).pairs([&long, &temporary]).token_of(&temporary)
}

fn session_exports(dice: &mut Dice) -> Planted {
    let key = Key::with(dice, Prefix::Asia);
    let text = format!(
        "export AWS_ACCESS_KEY_ID=\"{}\"\nexport AWS_SECRET_ACCESS_KEY=\"{}\"\nexport AWS_SESSION_TOKEN=\"{}\"\n",
        key.id,
        key.secret,
        token(dice)
    );
    Planted::new("paste.txt", text).pairs([&key]).token_of(&key)
}

fn assumed(dice: &mut Dice) -> Planted {
    let key = Key::with(dice, Prefix::Asia);
    let answer = json!({"Credentials": {"AccessKeyId": key.id, "SecretAccessKey": key.secret, "SessionToken": token(dice), "Expiration": "2024-05-01T11:00:00Z"},
        "AssumedRoleUser": {"AssumedRoleId": format!("AROA{}:me", dice.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 17)), "Arn": "arn:aws:sts::123456789012:assumed-role/r/me"}});
    Planted::new("assumed.json", answer.to_string()).pairs([&key]).token_of(&key)
}

fn session_url(dice: &mut Dice) -> Planted {
    let key = Key::with(dice, Prefix::Asia);
    let session = json!({"sessionId": key.id, "sessionKey": key.secret, "sessionToken": token(dice)}).to_string();
    let text = format!(
        "https://signin.aws.amazon.com/federation?Action=getSigninToken&Session={}\n",
        encode::percent(&session)
    );
    Planted::new("federation.txt", text).pairs([&key]).token_of(&key)
}

fn presigned(dice: &mut Dice) -> Planted {
    let key = Key::with(dice, Prefix::Asia);
    let text = format!(
        "<a href=\"https://b.s3.amazonaws.com/f.pdf?X-Amz-Algorithm=AWS4-HMAC-SHA256&amp;X-Amz-Credential={}%2F20240501%2Feu-west-1%2Fs3%2Faws4_request&amp;X-Amz-Security-Token={}&amp;X-Amz-Signature={}\">f</a>\n",
        key.id,
        encode::percent(&token(dice)),
        dice.hex(64)
    );
    Planted::new("page.html", text).lone(&key).token_of(&key)
}

fn console_text(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!("Access key created\n\nAccess key\nSecret access key\n\n{}\n{}\n\nDone\n", key.id, key.secret);
    Planted::new("screenshot.txt", text).pairs([&key])
}

fn filler(dice: &mut Dice, lines: usize) -> String {
    (0..lines).map(|_| format!("    log(\"{} {}\");\n", dice.sentence(), dice.hex(8))).collect()
}

fn far(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text =
        format!("const AWS_KEY = \"{}\";\n{}const AWS_SECRET_KEY = \"{}\";\n", key.id, filler(dice, 500), key.secret);
    Planted::new("server.js", text).pairs([&key])
}

fn far_several(dice: &mut Dice) -> Planted {
    let keys: Vec<Key> = (0..3).map(|_| Key::new(dice)).collect();
    let mut text = String::new();
    for (n, key) in keys.iter().enumerate() {
        text += &format!("accessKeyId_{n}: {}\n", key.id);
    }
    text += &filler(dice, 300);
    for (n, key) in keys.iter().enumerate() {
        text += &format!("secretAccessKey_{n}: {}\n", key.secret);
    }
    Planted::new("inventory.txt", text).pairs(&keys)
}

fn lone(dice: &mut Dice, key: fn(&mut Dice) -> Key) -> Planted {
    let key = key(dice);
    let text = format!(
        "{}\nTICKET-12: key {} of {} must be rotated\n{}\n",
        dice.sentence(),
        key.id,
        dice.hex(40),
        filler(dice, 5)
    );
    Planted::new("TODO.txt", text).lone(&key)
}

fn among_escapes(dice: &mut Dice) -> Planted {
    let keys: Vec<Key> = (0..6).map(|_| Key::new(dice)).collect();
    let id = |n: usize| keys.get(n).map_or("", |key| key.id.as_str());
    let text = format!(
        "{{\"log\":\"id:\\n{}\\n\"}}\nnext=%3D{}%26\n<a v=\"&quot;{}&quot;\">\n{{\"k\":\"\\u0022{}\\u0022\"}}\n{{\"k\":\"\\\"{}\\\"\"}}\nkey_{}_2024.csv\n",
        id(0),
        id(1),
        id(2),
        id(3),
        id(4),
        id(5)
    );
    keys.iter().fold(Planted::new("mixed.log", text), Planted::lone)
}

fn lone_secret(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!("AWS_REGION=us-east-1\nAWS_ACCESS_KEY_ID=${{CI_KEY}}\nAWS_SECRET_ACCESS_KEY={}\n", key.secret);
    Planted::new("ci.env", text).lone_secret(&key)
}

fn lone_secret_json(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    Planted::new(
        "settings.json",
        json!({"s3": {"bucket": "b", "awsSecretAccessKey": key.secret, "awsAccessKeyId": null}}).to_string(),
    )
    .lone_secret(&key)
}

fn bedrock_long(dice: &mut Dice) -> Planted {
    let inner = format!(
        "BedrockAPIKey-{}-at-{}:{}",
        dice.of("abcdefghijklmnop0123456789", 4),
        dice.of("123456789", 12),
        encode::base64(&dice.bytes(32))
    );
    let key = format!("ABSK{}", encode::base64(inner.as_bytes()));
    Planted::new("bedrock.env", format!("AWS_BEARER_TOKEN_BEDROCK={key}\n")).api_key(&key)
}

fn bedrock_short(dice: &mut Dice) -> Planted {
    let signer = Key::with(dice, Prefix::Asia);
    let url = format!(
        "bedrock.amazonaws.com/?Action=CallWithBearerToken&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F20250814%2Fus-west-2%2Fbedrock%2Faws4_request&X-Amz-Date=20250814T011323Z&X-Amz-Security-Token={}&Version=1",
        signer.id,
        encode::percent(&token(dice))
    );
    let key = format!("bedrock-api-key-{}", encode::base64(url.as_bytes()));
    Planted::new("call.py", format!("os.environ['AWS_BEARER_TOKEN_BEDROCK'] = \"{key}\"\n")).api_key(&key)
}

fn id_twice(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!(
        "# key {} is for backups\n\n{}\naccess_key = {}\nsecret_key = {}\n",
        key.id,
        filler(dice, 10),
        key.id,
        key.secret
    );
    Planted::new("backup.ini", text).pairs([&key])
}
