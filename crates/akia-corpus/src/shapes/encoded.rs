//! Encoded as a whole or in part.

use super::Make;
use crate::{Dice, Key, Planted, encode};

pub(super) const ALL: &[(&str, Make)] = &[
    ("base64 file", |dice| whole(dice, "credentials.b64", |text| encode::base64(text.as_bytes()).into_bytes())),
    ("base64 file in lines of 64", |dice| {
        whole(dice, "credentials.pem.b64", |text| encode::base64_lines(text.as_bytes(), 64, "\n").into_bytes())
    }),
    ("base64 file in lines of 76", |dice| {
        whole(dice, "credentials.mime", |text| encode::base64_lines(text.as_bytes(), 76, "\r\n").into_bytes())
    }),
    ("base64 of two lengths before", base64_alignments),
    ("base64 for URLs", |dice| {
        whole(dice, "link.txt", |text| {
            format!("https://x.example/?state={}&v=1\n", encode::base64_url(text.as_bytes())).into_bytes()
        })
    }),
    ("base64 twice", |dice| {
        whole(dice, "twice.txt", |text| encode::base64(encode::base64(text.as_bytes()).as_bytes()).into_bytes())
    }),
    ("base64 of halves, twice", halves_twice),
    ("base64 of gzip", |dice| {
        whole(dice, "packed.txt", |text| encode::base64(&encode::gzip(text.as_bytes())).into_bytes())
    }),
    ("base64 in JSON with escaped breaks", |dice| {
        whole(dice, "attachment.json", |text| {
            encode::json(&encode::base64_lines(text.as_bytes(), 76, "\n")).into_bytes()
        })
    }),
    ("base64 in YAML", |dice| {
        whole(dice, "indented.yaml", |text| {
            format!("data: |\n    {}", encode::base64_lines(text.as_bytes(), 64, "\n    ")).into_bytes()
        })
    }),
    ("Basic authorization", basic),
    ("UTF-16 little-endian", |dice| whole(dice, "export.reg", |text| encode::utf16(text, true, true))),
    ("UTF-16 big-endian", |dice| whole(dice, "export.txt", |text| encode::utf16(text, false, false))),
    ("UTF-16 with other letters", |dice| {
        whole(dice, "notiz.txt", |text| encode::utf16(&format!("Zugänge für Zürich – 東京\r\n{text}"), true, true))
    }),
    ("PowerShell -EncodedCommand", |dice| {
        whole(dice, "task.cmd", |text| {
            format!(
                "powershell.exe -NoProfile -EncodedCommand {}\r\n",
                encode::base64(&encode::utf16(text, true, false))
            )
            .into_bytes()
        })
    }),
    ("hexadecimal digits", |dice| whole(dice, "dump.hex", |text| encode::hex(text.as_bytes(), false).into_bytes())),
    ("large hexadecimal digits", |dice| {
        whole(dice, "record.txt", |text| format!("payload: 0x{}\n", encode::hex(text.as_bytes(), true)).into_bytes())
    }),
    ("hexadecimal halves", hex_halves),
    ("quoted-printable mail", mail),
    ("mail with an attachment", attachment),
    ("percent-encoded form", |dice| {
        whole(dice, "form.txt", |text| format!("action=save&body={}", encode::percent(text)).into_bytes())
    }),
    ("percent-encoded twice", |dice| {
        whole(dice, "redirect.txt", |text| format!("u={}", encode::percent(&encode::percent(text))).into_bytes())
    }),
    ("JSON in JSON", |dice| whole(dice, "message.json", |text| encode::json(&encode::json(text)).into_bytes())),
    ("JSON with escaped slashes", |dice| {
        whole(dice, "php.json", |text| encode::json(text).replace('/', "\\/").into_bytes())
    }),
    ("JSON with numbers for letters", |dice| {
        whole(dice, "unicode.json", |text| {
            encode::json(text)
                .replace('+', "\\u002b")
                .replace('/', "\\u002F")
                .replace('=', "\\u003d")
                .replace("\\n", "\\u000a")
                .into_bytes()
        })
    }),
    ("XML with references", |dice| {
        whole(dice, "note.xml", |text| {
            format!(
                "<note>{}</note>",
                encode::xml(text).replace('/', "&#47;").replace('+', "&#x2B;").replace('=', "&#61;")
            )
            .into_bytes()
        })
    }),
    ("HTML attribute", html_attribute),
    ("C string", |dice| {
        whole(dice, "blob.c", |text| {
            format!(
                "static const char k[] = \"{}\";\n",
                text.replace('\n', "\\n").replace('/', "\\x2f").replace('+', "\\053")
            )
            .into_bytes()
        })
    }),
    ("XML in JSON", |dice| {
        whole(dice, "soap.json", |text| {
            encode::json(&format!("<a k=\"{}\"/>", encode::xml(text).replace('/', "&#47;"))).into_bytes()
        })
    }),
];

fn lines(a: &Key, b: &Key) -> String {
    format!(
        "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n\n[other]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        a.id, a.secret, b.id, b.secret
    )
}

/// Two profiles, and all of it encoded. Something before them moves the id within what an encoding takes together.
fn whole(dice: &mut Dice, file: &str, encode: impl FnOnce(&str) -> Vec<u8>) -> Planted {
    let (a, b) = (Key::new(dice), Key::new(dice));
    let length = dice.below(90);
    let text = format!("# {}\n{}", dice.of("abcdefgh ", length), lines(&a, &b));
    Planted::new(file, encode(&text)).pairs([&a, &b])
}

fn base64_alignments(dice: &mut Dice) -> Planted {
    let keys: Vec<Key> = (0..3).map(|_| Key::new(dice)).collect();
    let rows: Vec<String> = keys
        .iter()
        .enumerate()
        .map(|(n, key)| {
            format!(
                "blob{n} = \"{}\"",
                encode::base64(format!("{}id={};secret={};", "x".repeat(n), key.id, key.secret).as_bytes())
            )
        })
        .collect();
    Planted::new("blobs.ini", rows.join("\n")).pairs(&keys)
}

fn halves_twice(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let twice = |text: &str| encode::base64(encode::base64(text.as_bytes()).as_bytes());
    Planted::new("sealed.yaml", format!("accessKey: {}\nsecretKey: {}\n", twice(&key.id), twice(&key.secret)))
        .pairs([&key])
}

fn basic(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: mail.example.com\r\nAuthorization: Basic {}\r\n\r\n",
        encode::base64(format!("{}:{}", key.id, key.secret).as_bytes())
    );
    Planted::new("request.http", text).pairs([&key])
}

fn hex_halves(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let text = format!(
        "INSERT INTO k VALUES (X'{}', X'{}');\n",
        encode::hex(key.id.as_bytes(), true),
        encode::hex(key.secret.as_bytes(), true)
    );
    Planted::new("hex.sql", text).pairs([&key])
}

fn mail(dice: &mut Dice) -> Planted {
    let (a, b) = (Key::new(dice), Key::new(dice));
    let body = format!(
        "Hallo, die Zugänge:\n{}{}\nGrüße\n",
        "x".repeat(dice.below(70)),
        format_args!(" key={} secret={}\n{}", a.id, a.secret, lines_of(&b))
    );
    let head = format!(
        "From: a@example.com\r\nSubject: keys\r\nContent-Type: text/plain; charset=\"utf-8\"; boundary=\"=_{}\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
        dice.hex(8)
    );
    let bytes = [head.into_bytes(), encode::quoted_printable(&body)].concat();
    Planted::new("mail.eml", bytes).pairs([&a, &b])
}

fn lines_of(key: &Key) -> String {
    format!("aws_access_key_id={}\naws_secret_access_key={}\n", key.id, key.secret)
}

fn attachment(dice: &mut Dice) -> Planted {
    let (a, b) = (Key::new(dice), Key::new(dice));
    let body =
        encode::base64_lines(format!("{}\n{}", "y".repeat(dice.below(70)), lines(&a, &b)).as_bytes(), 76, "\r\n");
    let text = format!(
        "MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"credentials\"\r\n\r\n{body}--x--\r\n"
    );
    Planted::new("attachment.eml", text).pairs([&a, &b])
}

fn html_attribute(dice: &mut Dice) -> Planted {
    let key = Key::new(dice);
    let data = format!("{{\"key\":\"{}\",\"secret\":\"{}\"}}", key.id, key.secret.replace('/', "\\/"));
    Planted::new("index.html", format!("<div id=\"app\" data-props=\"{}\"></div>\n", data.replace('"', "&quot;")))
        .pairs([&key])
}
