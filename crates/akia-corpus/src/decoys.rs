//! Files that hold no key of anybody, and look as if.

use serde_json::json;

use crate::{Dice, Key, encode};

/// What a scan may say of an id in a decoy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It is an example.
    Documentation,
    /// It is a trap.
    Canary,
}

/// A file that looks as if it held a key.
pub struct Decoy {
    /// Its name, unique.
    pub name: &'static str,
    make: fn(&mut Dice) -> DecoyFile,
}

/// The file of a decoy.
pub struct DecoyFile {
    /// Its path.
    pub file: String,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// Ids that a scan must find, and tell apart. All else that it finds is a fault.
    pub told: Vec<(String, Told)>,
}

impl Decoy {
    /// The file of a seed.
    #[must_use]
    pub fn make(&self, seed: u64) -> DecoyFile {
        (self.make)(&mut Dice::new(seed, self.name))
    }
}

/// Makes a file.
type Make = fn(&mut Dice) -> DecoyFile;

/// Every decoy.
#[must_use]
pub fn decoys() -> Vec<Decoy> {
    let all: [(&'static str, Make); 34] = [
        ("git hashes", git_hashes),
        ("checksums", checksums),
        ("uuids", uuids),
        ("base64 on one line", |dice| file("blob.b64", encode::base64(&dice.bytes(40_000)))),
        ("base64 in lines", |dice| file("blob.txt", encode::base64_lines(&dice.bytes(40_000), 76, "\n"))),
        ("base64 of text", |dice| file("text.b64", encode::base64(sentences(dice, 200).as_bytes()))),
        ("base64 of gzip", |dice| file("packed.b64", encode::base64(&encode::gzip(sentences(dice, 400).as_bytes())))),
        ("image in CSS", |dice| {
            file(
                "style.css",
                format!(".a{{background:url(data:image/png;base64,iVBORw0KGgo{})}}", encode::base64(&dice.bytes(9000))),
            )
        }),
        ("font in CSS", |dice| {
            file(
                "fonts.css",
                format!(
                    "@font-face{{src:url(data:font/woff2;base64,d09GMgAB{})}}",
                    encode::base64(&dice.bytes(20_000))
                ),
            )
        }),
        ("npm lockfile", npm_lock),
        ("yarn lockfile", yarn_lock),
        ("cargo lockfile", cargo_lock),
        ("go.sum", go_sum),
        ("minified JavaScript", minified),
        ("source map", source_map),
        ("role, user and group ids", principals),
        ("policy with ids", policy),
        ("CloudTrail of roles", cloudtrail),
        ("private key", |dice| {
            file(
                "id.pem",
                format!(
                    "-----BEGIN RSA PRIVATE KEY-----\n{}-----END RSA PRIVATE KEY-----\n",
                    encode::base64_lines(&dice.bytes(1190), 64, "\n")
                ),
            )
        }),
        ("certificate", |dice| {
            file(
                "ca.crt",
                format!(
                    "-----BEGIN CERTIFICATE-----\nMIID{}-----END CERTIFICATE-----\n",
                    encode::base64_lines(&dice.bytes(1000), 64, "\n")
                ),
            )
        }),
        ("JSON web tokens", tokens),
        ("random bytes", |dice| file("random.bin", dice.bytes(200_000))),
        ("random letters", |dice| file("random.txt", dice.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 60_000))),
        ("random words of base32", |dice| {
            file(
                "base32.txt",
                (0..3000).map(|_| dice.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 24) + "\n").collect::<String>(),
            )
        }),
        ("words in large letters", word_list),
        ("product codes", product_codes),
        ("longer and shorter ids", near_misses),
        ("key names without keys", names_only),
        ("other providers' keys", other_providers),
        ("secrets of hashes", labelled_hashes),
        ("protobuf", |dice| {
            file("trace.pb", [dice.bytes(3000), b"ASIA-PACIFIC\x12\x14".to_vec(), dice.bytes(3000)].concat())
        }),
        ("examples of AWS", documentation),
        ("placeholders", placeholders),
        ("canary tokens", canaries),
    ];
    all.into_iter().map(|(name, make)| Decoy { name, make }).collect()
}

fn file(name: &str, bytes: impl Into<Vec<u8>>) -> DecoyFile {
    DecoyFile { file: name.to_owned(), bytes: bytes.into(), told: Vec::new() }
}

fn sentences(dice: &mut Dice, count: usize) -> String {
    (0..count).map(|_| dice.sentence() + ".\n").collect()
}

fn git_hashes(dice: &mut Dice) -> DecoyFile {
    let rows: String = (0..200).map(|_| format!("{} {} secret rotation\n", dice.hex(40), dice.hex(40))).collect();
    file("log.txt", rows)
}

fn checksums(dice: &mut Dice) -> DecoyFile {
    let rows: String = (0..100)
        .map(|n| {
            format!(
                "SHA1 ({n}.tar.gz) = {}\nMD5 = {}\nsha256:{}\nsha512-{}\n",
                dice.hex(40).to_uppercase(),
                dice.hex(32),
                dice.hex(64),
                encode::base64(&dice.bytes(64))
            )
        })
        .collect();
    file("SHASUMS", rows)
}

fn uuids(dice: &mut Dice) -> DecoyFile {
    let rows: String = (0..300)
        .map(|_| format!("{}-{}-4{}-a{}-{}\n", dice.hex(8), dice.hex(4), dice.hex(3), dice.hex(3), dice.hex(12)))
        .collect();
    file("uuids.txt", rows)
}

fn npm_lock(dice: &mut Dice) -> DecoyFile {
    let packages: serde_json::Map<_, _> = (0..150)
        .map(|n| (format!("node_modules/p{n}"), json!({"version": "1.0.0", "resolved": format!("https://registry.npmjs.org/p{n}/-/p{n}-1.0.0.tgz"), "integrity": format!("sha512-{}", encode::base64(&dice.bytes(64)))})))
        .collect();
    file(
        "package-lock.json",
        serde_json::to_string_pretty(&json!({"lockfileVersion": 3, "packages": packages})).unwrap_or_default(),
    )
}

fn yarn_lock(dice: &mut Dice) -> DecoyFile {
    let rows: String = (0..150).map(|n| format!("p{n}@^1:\n  version \"1.0.0\"\n  resolved \"https://registry.yarnpkg.com/p{n}.tgz#{}\"\n  integrity sha1-{}\n\n", dice.hex(40), encode::base64(&dice.bytes(20)))).collect();
    file("yarn.lock", rows)
}

fn cargo_lock(dice: &mut Dice) -> DecoyFile {
    let rows: String = (0..150)
        .map(|n| format!("[[package]]\nname = \"p{n}\"\nversion = \"1.0.0\"\nchecksum = \"{}\"\n\n", dice.hex(64)))
        .collect();
    file("Cargo.lock", rows)
}

fn go_sum(dice: &mut Dice) -> DecoyFile {
    let rows: String =
        (0..150).map(|n| format!("example.com/m{n} v1.0.0 h1:{}\n", encode::base64(&dice.bytes(32)))).collect();
    file("go.sum", rows)
}

fn minified(dice: &mut Dice) -> DecoyFile {
    let code: String = (0..2000)
        .map(|_| {
            format!(
                "function {}(e){{return e.{}(\"{}\")}}var {}=",
                dice.of("abcdefghABCDEFGH", 3),
                dice.of("abcdefghijkl", 7),
                dice.of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 40),
                dice.of("xyz", 2)
            )
        })
        .collect();
    file("bundle.min.js", code)
}

fn source_map(dice: &mut Dice) -> DecoyFile {
    let mappings = dice.of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/,;", 60_000);
    file("bundle.js.map", json!({"version": 3, "sources": ["a.js"], "mappings": mappings}).to_string())
}

const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn principals(dice: &mut Dice) -> DecoyFile {
    let rows: String = ["AROA", "AIDA", "AGPA", "AIPA", "ANPA", "ANVA", "ASCA", "APKA"]
        .iter()
        .map(|prefix| format!("{prefix}{} {prefix}{}\n", dice.of(BASE32, 16), dice.of(BASE32, 17)))
        .collect();
    file("ids.txt", rows)
}

fn policy(dice: &mut Dice) -> DecoyFile {
    let text = json!({"Statement": [{"Effect": "Deny", "Condition": {"StringNotLike": {"aws:userId": [format!("AROA{}:*", dice.of(BASE32, 17)), format!("AIDA{}", dice.of(BASE32, 17))]}}}]});
    file("policy.json", text.to_string())
}

fn cloudtrail(dice: &mut Dice) -> DecoyFile {
    let rows: Vec<_> = (0..40).map(|_| json!({"eventID": dice.hex(32), "userIdentity": {"type": "AssumedRole", "principalId": format!("AROA{}:session", dice.of(BASE32, 17))}, "requestID": dice.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 16)})).collect();
    file("trail.json", json!({"Records": rows}).to_string())
}

fn tokens(dice: &mut Dice) -> DecoyFile {
    let rows: String = (0..50)
        .map(|_| {
            format!(
                "Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.{}.{}\n",
                encode::base64_url(&dice.bytes(200)),
                encode::base64_url(&dice.bytes(256))
            )
        })
        .collect();
    file("requests.log", rows)
}

fn word_list(dice: &mut Dice) -> DecoyFile {
    let mut rows = "SLOVAKIA\nCZECHOSLOVAKIAN\nASIANDEVELOPMENTBANK\nEURASIAPACIFICREGION\nTAKIANDKAKIAREPLACES\nASIATICWATERBUFFALOS\nMACCABEES\n".to_owned();
    for _ in 0..200 {
        rows += &(dice.of("BCDFGLMNPRST", 1)
            + &(0..5).map(|_| dice.of("AEIO", 1) + &dice.of("LMNRSTV", 1)).collect::<String>()
            + "\n");
    }
    file("words.txt", rows)
}

fn product_codes(dice: &mut Dice) -> DecoyFile {
    let rows: String = (0..100)
        .map(|_| {
            format!(
                "AKIA-{}-{} AKIA_{} ASIA{}\n",
                dice.of(BASE32, 4),
                dice.of("0123456789", 6),
                dice.of(BASE32, 12),
                dice.of("0189", 16)
            )
        })
        .collect();
    file("catalogue.csv", rows)
}

fn near_misses(dice: &mut Dice) -> DecoyFile {
    let rows: String = (0..50)
        .map(|_| {
            format!(
                "AKIA{} AKIA{} xAKIA{} AKIA{}x akia{}\n",
                dice.of(BASE32, 15),
                dice.of(BASE32, 17),
                dice.of(BASE32, 16),
                dice.of(BASE32, 16),
                dice.of("abcdefghijklmnopqrstuvwxyz234567", 16)
            )
        })
        .collect();
    file("near.txt", rows)
}

fn names_only(dice: &mut Dice) -> DecoyFile {
    let text = format!(
        "AWS_ACCESS_KEY_ID=${{AWS_ACCESS_KEY_ID}}\nAWS_SECRET_ACCESS_KEY=${{{{ secrets.AWS_SECRET_ACCESS_KEY }}}}\naws_secret_access_key = os.environ[\"AWS_SECRET_ACCESS_KEY\"]\nAWS_SECRET_ACCESS_KEY=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\nsecretAccessKey: process.env.APPLICATION_SECRET_ACCESS_KEY_NUMBER\nAWS_SECRET_ACCESS_KEY={}\n",
        dice.hex(40)
    );
    file("template.env", text)
}

fn other_providers(dice: &mut Dice) -> DecoyFile {
    const WORD: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let text = format!(
        "GITHUB_TOKEN=ghp_{}\nSTRIPE_KEY=sk_test_{}\nGOOGLE_API_KEY=AIza{}\nCLIENT_SECRET={}\nSLACK=xoxb-{}-{}\nALIYUN=LTAI{}\nTOKEN={}\n",
        dice.of(WORD, 36),
        dice.of(WORD, 24),
        dice.of(WORD, 35),
        dice.of(WORD, 40),
        dice.of("0123456789", 11),
        dice.of(WORD, 24),
        dice.of(WORD, 20),
        dice.of(WORD, 40)
    );
    file("other.env", text)
}

fn labelled_hashes(dice: &mut Dice) -> DecoyFile {
    let rows: String = (0..30)
        .map(|n| format!("secret_{n} = \"{}\"\naws_secret_hash_{n} = \"{}\"\n", dice.hex(40), dice.hex(64)))
        .collect();
    file("hashes.ini", rows)
}

fn documentation(dice: &mut Dice) -> DecoyFile {
    let text = format!(
        "# {}\n[default]\naws_access_key_id=AKIAIOSFODNN7EXAMPLE\naws_secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n\n[user1]\naws_access_key_id=AKIAI44QH8DHBEXAMPLE\naws_secret_access_key=je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY\n\nexport AWS_ACCESS_KEY_ID=ASIAIOSFODNN7EXAMPLE\n",
        dice.sentence()
    );
    let told = ["AKIAIOSFODNN7EXAMPLE", "AKIAI44QH8DHBEXAMPLE", "ASIAIOSFODNN7EXAMPLE"]
        .map(|id| (id.to_owned(), Told::Documentation));
    DecoyFile { told: told.to_vec(), ..file("guide.md", text) }
}

fn placeholders(dice: &mut Dice) -> DecoyFile {
    let ids = ["AKIAXXXXXXXXXXXXXXXX", "AKIAABCDEFGHIJKLMNOP", "AKIAAAAAAAAAAAAAAAAA", "AKIAYOURACCESSKEYYYY"];
    let text: String = ids.iter().map(|id| format!("key: {id}\nsecret: {}\n", "x".repeat(40))).collect::<String>()
        + "key: AKIA1234567890123456\n# "
        + &dice.sentence();
    DecoyFile { told: ids.map(|id| (id.to_owned(), Told::Documentation)).to_vec(), ..file("sample.yml", text) }
}

/// Accounts that make canary tokens, as published (<https://trufflesecurity.com/blog/canaries>).
const CANARY_ACCOUNTS: [u64; 3] = [52_310_077_262, 171_436_882_533, 982_842_642_351];

fn canaries(dice: &mut Dice) -> DecoyFile {
    let keys = CANARY_ACCOUNTS.map(|account| Key::of_account(dice, account));
    let text: String = keys
        .iter()
        .map(|key| {
            format!(
                "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\noutput = json\nregion = us-east-2\n",
                key.id, key.secret
            )
        })
        .collect();
    DecoyFile { told: keys.map(|key| (key.id, Told::Canary)).to_vec(), ..file("backup/credentials", text) }
}
