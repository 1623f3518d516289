//! The table.

use super::*;

/// Every case: flags, environment, files, the console's CSV, standard input, AWS's answers.
pub(super) const ROWS: &[Row] = &[
    // Flags.
    case(
        "two profiles to write",
        |home, _| home,
        &["setup", "a", "-p", "b"],
        2,
        &["error: PROFILE and --profile name different profiles; --profile says who signs, and only \
             with --create"],
    ),
    case(
        "a profile name with a bracket",
        |home, _| home,
        &["setup", "a]b"],
        2,
        &[
            "error: invalid value 'a]b' for '[PROFILE]': \"a]b\" is not a profile name (not empty, no \
             line break, no ']', no space at either end)",
            "",
            "For more information, try '--help'.",
        ],
    ),
    case(
        "a CSV file to delete that was not named",
        |home, _| home,
        &["setup", "--delete-csv"],
        2,
        &[
            "error: the following required arguments were not provided:",
            "  --from-csv <FILE>",
            "",
            "Usage: akia setup --from-csv <FILE> --delete-csv [PROFILE]",
            "",
            "For more information, try '--help'.",
        ],
    ),
    case(
        "two sources of a key",
        |home, _| home,
        &["setup", "--create", "--from-csv", "keys.csv"],
        2,
        &[
            "error: the argument '--create' cannot be used with '--from-csv <FILE>'",
            "",
            "Usage: akia setup --create [PROFILE]",
            "",
            "For more information, try '--help'.",
        ],
    ),
    case(
        "a user without --create",
        |home, _| home,
        &["setup", "--user", "bob"],
        2,
        &[
            "error: the following required arguments were not provided:",
            "  --create",
            "",
            "Usage: akia setup --create --user <NAME> [PROFILE]",
            "",
            "For more information, try '--help'.",
        ],
    ),
    case(
        "an output format that the AWS CLI does not have",
        |home, _| home,
        &["setup", "--default-output", "xml"],
        2,
        &[
            "error: invalid value 'xml' for '--default-output <FORMAT>'",
            "  [possible values: json, text, table, yaml, yaml-stream, off]",
            "",
            "  tip: a similar value exists: 'yaml'",
            "",
            "For more information, try '--help'.",
        ],
    ),
    case(
        "a region with a space",
        |home, _| home,
        &["status", "--region", "eu west"],
        2,
        &[
            "error: invalid value 'eu west' for '--region <REGION>': \"eu west\" is not a region \
             (letters, digits and hyphens, for example eu-west-1)",
            "",
            "For more information, try '--help'.",
        ],
    ),
    case(
        "an age without a unit",
        |home, _| home,
        &["status", "--max-age", "90"],
        2,
        &[
            "error: invalid value '90' for '--max-age <AGE>': 90 of what? Write 90d for days, 90h for \
             hours, 90m for minutes or 90w for weeks",
            "",
            "For more information, try '--help'.",
        ],
    ),
    case(
        "a span that is none",
        |home, _| home,
        &["rotate", "--grace", "forever"],
        2,
        &[
            "error: invalid value 'forever' for '--grace <TIME>': \"forever\" is not a unit; the units \
             are w (weeks), d (days), h (hours), m (minutes) and s (seconds)",
            "",
            "For more information, try '--help'.",
        ],
    ),
    case(
        "no profile for credentials",
        |home, _| home,
        &["credentials"],
        2,
        &["error: name the profile: akia credentials --profile NAME"],
    ),
    case(
        "a far endpoint without TLS",
        |home, _| home,
        &["status", "--endpoint-url", "http://aws.example"],
        2,
        &[
            "error: invalid value 'http://aws.example' for '--endpoint-url <URL>': plain http is taken \
             for this machine only (localhost, 127.0.0.1, [::1]); use https://",
            "",
            "For more information, try '--help'.",
        ],
    ),
    case(
        "an endpoint that is no URL",
        |home, _| home,
        &["rotate", "--endpoint-url", "localhost:4566"],
        2,
        &[
            "error: invalid value 'localhost:4566' for '--endpoint-url <URL>': it must start with \
             http:// or https://",
            "",
            "For more information, try '--help'.",
        ],
    ),
    case(
        "a port that is none",
        |home, _| home,
        &["sandbox", "--port", "0"],
        2,
        &[
            "error: invalid value '0' for '--port <PORT>': 0 is not in 1..=65535",
            "",
            "For more information, try '--help'.",
        ],
    ),
    case(
        "a folder that is in use",
        |home, _| home,
        &["sandbox", "--folder", ".aws"],
        1,
        &["error: the folder .aws is not empty", "  now: nothing was changed", " next: akia sandbox --folder ANOTHER"],
    ),
    case(
        "a profile that there is not",
        |home, _| home,
        &["rotate", "-p", "wrok", "--yes"],
        1,
        &[
            "refuse  profile \"wrok\": there is no profile \"wrok\" in ~/.aws/credentials or \
             ~/.aws/config",
            "        next: akia rotate --profile work",
            "nothing was changed",
        ],
    ),
    case(
        "a profile to copy that there is not",
        |home, _| home,
        &["setup", "new", "--from-profile", "wrok", "--yes"],
        1,
        &[
            "error: there is no profile \"wrok\" in ~/.aws/credentials or ~/.aws/config",
            "  now: nothing was changed",
            " next: akia status (the profiles that there are)",
        ],
    ),
    case(
        "a copy onto itself",
        |home, _| home,
        &["setup", "work", "--from-profile", "work", "--yes"],
        2,
        &["error: profile \"work\" cannot be copied onto itself"],
    ),
    case(
        "a profile that holds another key",
        |home, stage| csv(home, stage, "Access key ID,Secret access key\n{ida},{ida-secret}\n"),
        &["setup", "work", "--from-csv", "keys.csv", "--yes"],
        6,
        &[
            "error: profile \"work\" holds the key ANN already (user ann, account ACCOUNT)",
            "  now: nothing was changed",
            " next: akia rotate -p work (a new key for the same user, safely)",
            "       add --replace to write over it; the key itself stays in AWS and is not deleted",
            "       or name another profile: akia setup NAME",
        ],
    ),
    case(
        "nobody who says yes",
        |home, _| home,
        &["setup", "new", "--from-profile", "work"],
        6,
        &[
            "setup   key ANN of user ann, account ACCOUNT; AWS accepts it",
            "        id and secret to profile \"new\" in ~/.aws/credentials",
            "        note: profiles \"work\" and \"new\" then share one key, which is second best: \
             whoever loses it loses both, and use of the one cannot be told from the other; akia \
             rotate rotates them together",
            "        note: the profile has no region; add --region to give it one",
            "error: this changes something, and there is no terminal to ask on",
            "  now: nothing was changed",
            " next: run it again with --yes to go ahead, or with --dry-run to see the plan",
        ],
    ),
    // The environment.
    case(
        "a region that is none",
        |home, _| home.with("AWS_REGION", "eu west"),
        &["status"],
        2,
        &["error: the environment variable AWS_REGION: \"eu west\" is not a region (letters, digits \
             and hyphens, for example eu-west-1)"],
    ),
    case(
        "an empty profile",
        |home, _| home.with("AWS_PROFILE", ""),
        &["rotate", "--yes"],
        2,
        &[
            "error: the environment variable AWS_PROFILE is empty",
            " next: unset AWS_PROFILE, or name the profile with --profile",
        ],
    ),
    case(
        "two profiles at once",
        |home, _| home.with("AWS_PROFILE", "a").with("AWS_DEFAULT_PROFILE", "b"),
        &["setup"],
        2,
        &[
            "error: AWS_DEFAULT_PROFILE and AWS_PROFILE name different profiles, \"b\" and \"a\": the \
             AWS CLI takes the first, the SDKs the second",
            " next: unset one of them, or name the profile with --profile",
        ],
    ),
    case(
        "an endpoint that is nonsense",
        |home, _| home.with("AWS_ENDPOINT_URL", "nonsense"),
        &["status"],
        2,
        &["error: the environment variable AWS_ENDPOINT_URL: it is not a URL; write for example \
             http://127.0.0.1:4566"],
    ),
    case(
        "a proxy that is none",
        |home, _| home.with("HTTP_PROXY", "http://:::"),
        &["setup", "new", "--from-profile", "work", "--yes"],
        1,
        &[
            "error: ANN cannot be checked: sts:GetCallerIdentity at AWS with key ANN: not reachable: \
             HTTP_PROXY is not a proxy url (http://host:port)",
            "  now: nothing was changed",
            " next: check the network, HTTPS_PROXY and --endpoint-url",
        ],
    ),
    case(
        "a file of certificates that there is not",
        |home, _| home.with("AWS_CA_BUNDLE", "/nonexistent.pem").with("AWS_ENDPOINT_URL", "https://127.0.0.1:1"),
        &["setup", "new", "--from-profile", "work", "--yes"],
        1,
        &[
            "error: ANN cannot be checked: sts:GetCallerIdentity at 127.0.0.1:1 with key ANN: not \
             reachable: AWS_CA_BUNDLE /nonexistent.pem: No such file or directory (os error 2)",
            "  now: nothing was changed",
            " next: check the network, HTTPS_PROXY and --endpoint-url",
        ],
    ),
    case(
        "half a key",
        |home, _| home.with("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        &["setup", "new", "--create", "--yes"],
        2,
        &["error: AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not"],
    ),
    case(
        "no home folder",
        |home, _| home.without("HOME"),
        &["status"],
        1,
        &[
            "error: the AWS credentials file cannot be found: HOME is not set",
            "  now: nothing was changed",
            " next: set HOME, or AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE",
        ],
    ),
    case(
        "a state folder that is a file",
        |home, _| home.file("taken", "").with("AKIA_STATE_DIR", "taken"),
        &["rotate", "-p", "work", "--yes"],
        1,
        &[
            "error: the state folder cannot be used: the state folder taken is not a folder",
            "  now: nothing was changed",
            " next: move it away, or set AKIA_STATE_DIR to a folder of yours",
        ],
    ),
    case(
        "a state folder that others may write to",
        |home, _| {
            fs::create_dir(home.path("open")).unwrap();
            fs::set_permissions(home.path("open"), fs::Permissions::from_mode(0o777)).unwrap();
            let path = home.path("open").to_str().unwrap().to_owned();
            home.with("AKIA_STATE_DIR", &path)
        },
        &["rotate", "-p", "work", "--yes"],
        1,
        &[
            "error: the state folder cannot be used: others can write to ~/open (mode 0777)",
            "  now: nothing was changed",
            " next: look at who wrote there, then chmod go-w '~/open'",
        ],
    ),
    case(
        "a keychain that is switched off",
        |home, _| home,
        &["setup", "new", "--from-profile", "work", "--store", "keychain", "--yes"],
        1,
        &[
            "error: no OS keychain: AKIA_KEYCHAIN is off",
            "  now: nothing was changed",
            " next: unset AKIA_KEYCHAIN, or set it to auto",
        ],
    ),
    case(
        "a word for the keychain that there is not",
        |home, _| home.with("AKIA_KEYCHAIN", "on"),
        &["credentials", "-p", "work"],
        1,
        &["error: no OS keychain: AKIA_KEYCHAIN is \"on\", which means nothing; set AKIA_KEYCHAIN to \
             auto or off"],
    ),
    // The AWS files.
    case(
        "a folder in place of the credentials file",
        |home, _| instead(home, |path| fs::create_dir(path).unwrap()),
        &["status"],
        1,
        &[
            "error: ~/.aws/credentials is not a regular file",
            "  now: nothing was changed",
            " next: name a regular file",
        ],
    ),
    case(
        "a pipe in place of the credentials file",
        |home, _| {
            instead(home, |path| {
                assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
            })
        },
        &["rotate", "-p", "work", "--yes"],
        1,
        &[
            "error: ~/.aws/credentials is not a regular file",
            "  now: nothing was changed",
            " next: name a regular file",
        ],
    ),
    case(
        "a link that leads nowhere",
        |home, _| instead(home, |path| symlink("gone", path).unwrap()),
        &["rotate", "-p", "work", "--yes"],
        1,
        &[
            "refuse  profile \"work\": there is no profile \"work\" in ~/.aws/credentials or \
             ~/.aws/config",
            "        next: akia status",
            "nothing was changed",
        ],
    ),
    case(
        "a link that leads nowhere to write through",
        |home, _| instead(home, |path| symlink("gone", path).unwrap()),
        &["setup", "new", "--yes"],
        1,
        &[
            "error: ~/.aws/credentials is a symbolic link to gone, which does not exist",
            "  now: nothing was changed",
            " next: create gone (is its disk mounted?), or remove the link",
        ],
    )
    .typed("{id}\n{secret}\n"),
    case(
        "a link that leads to itself",
        |home, _| instead(home, |path| symlink("credentials", path).unwrap()),
        &["setup", "new", "--create", "--yes"],
        1,
        &[
            "error: ~/.aws/credentials is a symbolic link that leads back to itself",
            "  now: nothing was changed",
            " next: look at it with: ls -l '~/.aws/credentials'",
        ],
    ),
    case(
        "a file of 17 MB",
        |home, _| credentials(home, vec![b'#'; 17 << 20]),
        &["status"],
        1,
        &[
            "error: ~/.aws/credentials is larger than 16777216 bytes",
            "  now: nothing was changed",
            " next: is this the right file? AWS files are small",
        ],
    ),
    case(
        "a header that is not closed",
        |home, _| mangled(home, |text| format!("{text}[broken\n")),
        &["rotate", "-p", "work", "--yes"],
        1,
        &[
            "refuse  profile \"work\": the secret of profile \"work\" cannot be read: profile \"work\" \
             in the credentials file, line 4: the section header does not end with ']'; the AWS SDK \
             for Rust cannot read any profile because of it",
            "        next: mend the file in an editor, then: akia status",
            "nothing was changed",
        ],
    ),
    case(
        "a NUL in the secret",
        |home, _| mangled(home, |text| text.replace("secret_access_key = ", "secret_access_key = \0")),
        &["rotate", "-p", "work", "--yes"],
        1,
        &[
            "refuse  profile \"work\" holds no usable key (the secret access key contains white space \
             or a control character at position 1): it holds no long-term access key to rotate",
            "        next: akia status --profile work",
            "nothing was changed",
        ],
    ),
    case(
        "bytes that are not UTF-8",
        |home, _| {
            let mut text = home.read(".aws/credentials").into_bytes();
            text.splice(7..7, *b"# Caf\xe9\n");
            credentials(home, text)
        },
        &["rotate", "-p", "work", "--yes"],
        1,
        &[
            "refuse  profile \"work\": the secret of profile \"work\" cannot be read: profile \"work\" \
             in the credentials file, line 2: the file is not UTF-8 text; the AWS SDK for Rust and the \
             AWS CLI cannot read any profile because of it",
            "        next: mend the file in an editor, then: akia status",
            "nothing was changed",
        ],
    ),
    case(
        "a byte order mark",
        |home, _| mangled(home, |text| format!("\u{feff}{text}")),
        &["rotate", "-p", "work", "--yes"],
        1,
        &[
            "refuse  profile \"work\": the secret of profile \"work\" cannot be read: profile \"work\" \
             in the credentials file, line 1: the file starts with a byte order mark; save it as UTF-8 \
             without one; the AWS SDK for Rust and the AWS CLI cannot read any profile because of it",
            "        next: mend the file in an editor, then: akia status",
            "nothing was changed",
        ],
    ),
    case(
        "lines that end with CR alone",
        |home, _| mangled(home, |text| text.replace('\n', "\r")),
        &["rotate", "-p", "work", "--yes"],
        1,
        &[
            "refuse  profile \"work\": the secret of profile \"work\" cannot be read: profile \"work\" \
             in the credentials file, line 1: the section header does not end with ']'; the AWS SDK \
             for Rust cannot read any profile because of it",
            "        next: mend the file in an editor, then: akia status",
            "nothing was changed",
        ],
    ),
    case(
        "the same section twice",
        |home, _| mangled(home, |text| format!("{text}{text}")),
        &["rotate", "-p", "work", "--yes"],
        1,
        &[
            "refuse  profile \"work\": the secret of profile \"work\" cannot be read: profile \"work\" \
             in the credentials file, line 4: the section is a second one of the same name (first on \
             line 1); the AWS CLI cannot read any profile because of it",
            "        next: mend the file in an editor, then: akia status",
            "nothing was changed",
        ],
    ),
    case(
        "the same setting twice",
        |home, _| mangled(home, |text| format!("{text}aws_secret_access_key = other\n")),
        &["rotate", "-p", "work", "--yes"],
        1,
        &[
            "refuse  profile \"work\": the secret of profile \"work\" cannot be read: profile \"work\" \
             in the credentials file, line 4: the key is a second one of the same name in its section \
             (first on line 3); the AWS CLI cannot read any profile because of it",
            "        next: mend the file in an editor, then: akia status",
            "nothing was changed",
        ],
    ),
    case(
        "an id without a secret",
        |home, _| mangled(home, |text| text.split("aws_secret").next().unwrap().to_owned()),
        &["rotate", "-p", "work", "--yes"],
        1,
        &[
            "refuse  profile \"work\" has no aws_secret_access_key: it holds no long-term access key \
             to rotate",
            "        next: akia status --profile work",
            "nothing was changed",
        ],
    ),
    case(
        "an id that is none",
        |home, _| mangled(home, |text| text.replace("AKIA", "akia-")),
        &["rotate", "-p", "work", "--yes"],
        1,
        &[
            "refuse  profile \"work\" holds no usable key (aws_access_key_id is not an access key id \
             (16 to 128 letters and digits)): it holds no long-term access key to rotate",
            "        next: akia status --profile work",
            "nothing was changed",
        ],
    ),
    case(
        "a space in the secret",
        |home, _| mangled(home, |text| text.trim_end().to_owned() + " x\n"),
        &["rotate", "-p", "work", "--yes"],
        1,
        &[
            "refuse  profile \"work\" holds no usable key (the secret access key contains white space \
             or a control character at position 41): it holds no long-term access key to rotate",
            "        next: akia status --profile work",
            "nothing was changed",
        ],
    ),
    case(
        "temporary credentials",
        |home, _| mangled(home, |text| format!("{text}aws_session_token = x\n")),
        &["rotate", "-p", "work", "--yes"],
        1,
        &[
            "refuse  profile \"work\" holds temporary credentials, which expire by themselves: it \
             holds no long-term access key to rotate",
            "        next: akia status --profile work",
            "nothing was changed",
        ],
    ),
    case(
        "a role to rotate",
        |home, _| {
            home.file(
                ".aws/config",
                "[profile r]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = work\n",
            )
        },
        &["rotate", "-p", "r", "--yes"],
        1,
        &[
            "refuse  profile \"r\" assumes a role through profile \"work\": it holds no long-term \
             access key to rotate",
            "        next: akia rotate --profile work",
            "nothing was changed",
        ],
    ),
    case(
        "a role to write a key into",
        |home, _| {
            home.file(
                ".aws/config",
                "[profile r]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = work\n",
            )
        },
        &["setup", "r", "--create", "--yes"],
        1,
        &[
            "error: profile \"r\" assumes a role through profile \"work\"; with a key beside that, \
             some AWS tools would use the one and some the other",
            "  now: nothing was changed",
            " next: name another profile: akia setup NAME",
        ],
    ),
    case(
        "a profile of SSO to copy",
        |home, _| {
            home.file(".aws/config", "[profile s]\nsso_start_url = https://x.example\nsso_region = eu-west-1\nsso_account_id = 123456789012\nsso_role_name = r\n")
        },
        &["setup", "new", "--from-profile", "s", "--yes"],
        1,
        &[
            "error: profile \"s\" signs in through IAM Identity Center (SSO): there is no access key \
             to copy",
            "  now: nothing was changed",
        ],
    ),
    case(
        "a write-protected file",
        |home, _| {
            fs::set_permissions(home.path(".aws/credentials"), fs::Permissions::from_mode(0o400)).unwrap();
            home
        },
        &["setup", "new", "--create", "-p", "work", "--yes"],
        1,
        &[
            "error: ~/.aws/credentials is write-protected (mode 0400)",
            "  now: nothing was changed",
            " next: chmod u+w '~/.aws/credentials'",
        ],
    ),
    case(
        "a file with two names",
        |home, _| {
            fs::hard_link(home.path(".aws/credentials"), home.path("twin")).unwrap();
            home
        },
        &["setup", "new", "--create", "-p", "work", "--yes"],
        1,
        &[
            "error: ~/.aws/credentials is one of 2 hard links to the same file",
            "  now: nothing was changed",
            " next: give the file one name again, for example: cp -p '~/.aws/credentials' \
             '~/.aws/credentials.new' && mv '~/.aws/credentials.new' '~/.aws/credentials' (a symbolic \
             link is fine)",
        ],
    ),
    // The console's file.
    case(
        "no CSV file",
        |home, _| home,
        &["setup", "new", "--from-csv", "keys.csv", "--yes"],
        1,
        &["error: keys.csv does not exist", "  now: nothing was changed"],
    ),
    case(
        "a folder in place of the CSV file",
        |home, _| home,
        &["setup", "new", "--from-csv", ".aws", "--yes"],
        1,
        &["error: .aws is not a regular file", "  now: nothing was changed", " next: name a regular file"],
    ),
    case(
        "an empty CSV file",
        |home, stage| csv(home, stage, ""),
        &["setup", "new", "--from-csv", "keys.csv", "--yes"],
        1,
        &["error: keys.csv: the file is empty", "  now: nothing was changed"],
    ),
    case(
        "a CSV file without a key",
        |home, stage| csv(home, stage, "Access key ID,Secret access key\n"),
        &["setup", "new", "--from-csv", "keys.csv", "--yes"],
        1,
        &[
            "error: keys.csv: the file names no access key: only a header, or only users with a \
             password",
            "  now: nothing was changed",
        ],
    ),
    case(
        "another CSV file",
        |home, stage| csv(home, stage, "Date,Amount\n2026-01-01,3\n"),
        &["setup", "new", "--from-csv", "keys.csv", "--yes"],
        1,
        &[
            "error: keys.csv: line 1 is not the console's header: the column \"Access key ID\" is \
             missing",
            "  now: nothing was changed",
            " next: use the file as the console gave it, or type the key: akia setup PROFILE",
        ],
    ),
    case(
        "semicolons",
        |home, stage| csv(home, stage, "Access key ID;Secret access key\n{id};{secret}\n"),
        &["setup", "new", "--from-csv", "keys.csv", "--yes"],
        1,
        &[
            "error: keys.csv: line 1 is separated by semicolons; the console separates by commas",
            "  now: nothing was changed",
            " next: use the file as the console gave it, or type the key: akia setup PROFILE",
        ],
    ),
    case(
        "UTF-16",
        |home, _| home.file("keys.csv", b"\xff\xfeA\0c\0c\0"),
        &["setup", "new", "--from-csv", "keys.csv", "--yes"],
        1,
        &[
            "error: keys.csv: the file is UTF-16; save it as UTF-8, or use the file as the console \
             gave it",
            "  now: nothing was changed",
            " next: use the file as the console gave it, or type the key: akia setup PROFILE",
        ],
    ),
    case(
        "a CSV file that is not UTF-8",
        |home, _| home.file("keys.csv", b"Access key ID,Secret access key\n\xe9,x\n"),
        &["setup", "new", "--from-csv", "keys.csv", "--yes"],
        1,
        &["error: keys.csv: line 2 is not UTF-8", "  now: nothing was changed"],
    ),
    case(
        "a NUL in the CSV file",
        |home, _| home.file("keys.csv", b"Access key ID,Secret access key\nA\0,x\n"),
        &["setup", "new", "--from-csv", "keys.csv", "--yes"],
        1,
        &["error: keys.csv: line 2 contains a NUL byte: this is no text file", "  now: nothing was changed"],
    ),
    case(
        "a CSV file of 2 MB",
        |home, _| home.file("keys.csv", vec![b'x'; 2 << 20]),
        &["setup", "new", "--from-csv", "keys.csv", "--yes"],
        1,
        &["error: keys.csv: longer than 1048576 bytes, which is no file of the console", "  now: nothing was changed"],
    ),
    case(
        "a quotation mark that is not closed",
        |home, stage| csv(home, stage, "Access key ID,Secret access key\n\"{id},{secret}\n"),
        &["setup", "new", "--from-csv", "keys.csv", "--yes"],
        1,
        &[
            "error: keys.csv: a quotation mark is not closed; the last one stands on line 2",
            "  now: nothing was changed",
        ],
    ),
    case(
        "columns swapped",
        |home, stage| csv(home, stage, "Access key ID,Secret access key\n{secret},{id}\n"),
        &["setup", "new", "--from-csv", "keys.csv", "--yes"],
        1,
        &[
            "error: keys.csv: line 2, column 1: this is not an access key id (20 letters and digits, \
             AKIA…)",
            "  now: nothing was changed",
        ],
    ),
    case(
        "a secret with a space",
        |home, stage| csv(home, stage, "Access key ID,Secret access key\n{id},two words\n"),
        &["setup", "new", "--from-csv", "keys.csv", "--yes"],
        1,
        &[
            "error: keys.csv: line 2, column 2: the secret access key contains white space or a \
             control character at position 4",
            "  now: nothing was changed",
        ],
    ),
    case(
        "temporary credentials in the CSV file",
        |home, stage| csv(home, stage, "Access key ID,Secret access key\nASIAIOSFODNN7EXAMPLE,{secret}\n"),
        &["setup", "new", "--from-csv", "keys.csv", "--yes"],
        1,
        &[
            "error: keys.csv: line 2, column 1: this is the id of temporary credentials (ASIA…), not \
             of an access key",
            "  now: nothing was changed",
        ],
    ),
    case(
        "the same key twice",
        |home, stage| csv(home, stage, "User name,Access key ID,Secret access key\na,{id},{secret}\nb,{id},{secret}\n"),
        &["setup", "new", "--from-csv", "keys.csv", "--yes"],
        1,
        &["error: keys.csv: line 3: the same access key stands on line 2 already", "  now: nothing was changed"],
    ),
    case(
        "several users",
        |home, stage| {
            csv(home, stage, "User name,Access key ID,Secret access key\nann,{id},{secret}\nida,{ida},{ida-secret}\n")
        },
        &["setup", "new", "--from-csv", "keys.csv", "--yes"],
        1,
        &[
            "error: keys.csv: the file holds 2 keys, of ann, ida: say which user",
            "  now: nothing was changed",
            " next: name the user: --csv-user NAME",
        ],
    ),
    case(
        "a user who is not in the file",
        |home, stage| csv(home, stage, "User name,Access key ID,Secret access key\nann,{id},{secret}\n"),
        &["setup", "new", "--from-csv", "keys.csv", "--csv-user", "bob", "--yes"],
        1,
        &[
            "error: keys.csv: the file holds no key of bob; it holds keys of ann",
            "  now: nothing was changed",
            " next: name the user: --csv-user NAME",
        ],
    ),
    case(
        "a user who is another in AWS",
        |home, stage| csv(home, stage, "Access key ID,Secret access key\n{id},{secret}\n"),
        &["setup", "new", "--from-csv", "keys.csv", "--csv-user", "bob", "--yes"],
        1,
        &[
            "error: the key in the file is that of user ann, account ACCOUNT, not of user bob",
            "  now: nothing was changed",
        ],
    ),
    case(
        "several keys in a file to delete",
        |home, stage| {
            csv(home, stage, "User name,Access key ID,Secret access key\nann,{id},{secret}\nida,{ida},{ida-secret}\n")
        },
        &["setup", "new", "--from-csv", "keys.csv", "--csv-user", "ann", "--delete-csv", "--yes"],
        1,
        &[
            "error: ~/keys.csv holds one more key: --delete-csv would lose it",
            "  now: nothing was changed",
            " next: set up all of them first, without --delete-csv, then delete the file",
        ],
    ),
    case(
        "the root user's old file",
        |home, stage| csv(home, stage, "AWSAccessKeyId={root}\nAWSSecretKey={root-secret}\n"),
        &["setup", "new", "--from-csv", "keys.csv", "--yes"],
        1,
        &[
            "error: this is a key of the root user of account ACCOUNT; it can do everything and \
             nothing can limit it",
            "  now: nothing was changed",
            " next: delete the root key: AWS console, as root, account menu, Security credentials, \
             Access keys",
            "       make an IAM user with the rights that you need, or use IAM Identity Center (SSO), \
             and set that up",
        ],
    ),
    case(
        "the root user's file of today",
        |home, stage| csv(home, stage, "Access key ID,Secret access key\n{root},{root-secret}\n"),
        &["setup", "new", "--from-csv", "keys.csv", "--yes"],
        1,
        &[
            "error: this is a key of the root user of account ACCOUNT; it can do everything and \
             nothing can limit it",
            "  now: nothing was changed",
            " next: delete the root key: AWS console, as root, account menu, Security credentials, \
             Access keys",
            "       make an IAM user with the rights that you need, or use IAM Identity Center (SSO), \
             and set that up",
        ],
    ),
    // Standard input.
    case(
        "nothing to read",
        |home, _| home,
        &["setup", "new", "--yes"],
        6,
        &[
            "error: there is no terminal to type the key on",
            "  now: nothing was changed",
            " next: akia setup PROFILE --yes < FILE (two lines: the access key id, the secret access \
             key)",
            "       akia setup PROFILE --from-csv FILE --yes (the file of the AWS console)",
            "       akia setup PROFILE --create --yes (a new key)",
        ],
    ),
    case(
        "an id alone",
        |home, _| home,
        &["setup", "new", "--yes"],
        1,
        &[
            "error: standard input holds one line, where two are read: the access key id, then the \
             secret access key",
            "  now: nothing was changed",
        ],
    )
    .typed("{id}\n"),
    case(
        "a secret where the id should be",
        |home, _| home,
        &["setup", "new", "--yes"],
        1,
        &[
            "error: that is no access key id: it has 20 letters and digits and begins with AKIA",
            "  now: nothing was changed",
        ],
    )
    .typed("{secret}\n{id}\n"),
    case(
        "temporary credentials, piped",
        |home, _| home,
        &["setup", "new", "--yes"],
        1,
        &[
            "error: that is the id of temporary credentials (ASIA…): they expire and need a session \
             token",
            "  now: nothing was changed",
            " next: use a long-term access key (AKIA…), or let the profile sign in by itself: a role, \
             or SSO",
        ],
    )
    .typed("ASIAIOSFODNN7EXAMPLE\n{secret}\n"),
    case(
        "a session token behind them",
        |home, _| home,
        &["setup", "new", "--yes"],
        1,
        &[
            "error: standard input holds 3 lines, where two are read: the access key id, then the \
             secret access key",
            "  now: nothing was changed",
        ],
    )
    .typed("{id}\n{secret}\ntoken\n"),
    case(
        "a wrong secret",
        |home, _| home,
        &["setup", "new", "--yes"],
        1,
        &[
            "error: the secret access key does not belong to ANN",
            "  now: nothing was changed",
            " next: type or copy it again, whole: it has 40 characters and may contain / and +",
        ],
    )
    .typed("{id}\n{mistyped}\n"),
    case(
        "an inactive key",
        |home, _| home,
        &["setup", "new", "--yes"],
        1,
        &[
            "error: AWS does not accept the key IDA",
            "  now: nothing was changed",
            " next: check the id: it may be mistyped, or the key inactive or deleted",
            "       for a key of China or GovCloud, add --region cn-north-1 or us-gov-west-1",
        ],
    )
    .typed("{ida}\n{ida-secret}\n"),
    case(
        "a key that nobody has",
        |home, _| home,
        &["setup", "new", "--yes"],
        1,
        &[
            "error: AWS does not accept the key AKIAIOSFODNN7EXAMPLE",
            "  now: nothing was changed",
            " next: check the id: it may be mistyped, or the key inactive or deleted",
            "       for a key of China or GovCloud, add --region cn-north-1 or us-gov-west-1",
        ],
    )
    .typed("AKIAIOSFODNN7EXAMPLE\n{secret}\n"),
    case(
        "a root key",
        |home, _| home,
        &["setup", "new", "--yes"],
        1,
        &[
            "error: this is a key of the root user of account ACCOUNT; it can do everything and \
             nothing can limit it",
            "  now: nothing was changed",
            " next: delete the root key: AWS console, as root, account menu, Security credentials, \
             Access keys",
            "       make an IAM user with the rights that you need, or use IAM Identity Center (SSO), \
             and set that up",
        ],
    )
    .typed("{root}\n{root-secret}\n"),
    // AWS's answers.
    case(
        "nobody there",
        |home, _| home.with("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        &["setup", "new", "--from-profile", "work", "--yes"],
        1,
        &[
            "error: ANN cannot be checked: sts:GetCallerIdentity at AWS with key ANN: not reachable: \
             client error (Connect): tcp connect error: Connection refused (os error 111)",
            "  now: nothing was changed",
            " next: check the network, HTTPS_PROXY and --endpoint-url",
        ],
    ),
    case(
        "nobody there to rotate with",
        |home, _| home.with("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        &["rotate", "-p", "work", "--yes"],
        1,
        &[
            "refuse  profile \"work\": the key's owner cannot be found out: sts:GetCallerIdentity at \
             AWS with key ANN: not reachable: client error (Connect): tcp connect error: Connection \
             refused (os error 111)",
            "        next: check the network, HTTPS_PROXY and --endpoint-url",
            "nothing was changed",
        ],
    ),
    case(
        "a connection that is closed",
        |home, _| wire(home, b""),
        &["setup", "new", "--from-profile", "work", "--yes"],
        1,
        &[
            "error: ANN cannot be checked: sts:GetCallerIdentity at AWS with key ANN: no complete \
             answer: client error (SendRequest): connection closed before message completed",
            "  now: nothing was changed",
            " next: run the same command again",
        ],
    ),
    case(
        "what is not HTTP",
        |home, _| wire(home, b"220 mail.example ESMTP\r\n"),
        &["setup", "new", "--from-profile", "work", "--yes"],
        1,
        &[
            "error: ANN cannot be checked: sts:GetCallerIdentity at AWS with key ANN: no complete \
             answer: client error (SendRequest): invalid HTTP version parsed",
            "  now: nothing was changed",
            " next: run the same command again",
        ],
    ),
    case(
        "a redirect to another host",
        |home, _| wire(home, b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"),
        &["setup", "new", "--from-profile", "work", "--yes"],
        1,
        &[
            "error: ANN cannot be checked: sts:GetCallerIdentity at AWS with key ANN: the answer makes \
             no sense: it is a redirect (http 302)",
            "  now: nothing was changed",
            " next: look at HTTPS_PROXY and --endpoint-url: something else than AWS may answer there \
             (a portal to sign in to?)",
        ],
    ),
    case(
        "a page of HTML with 502",
        |home, _| wire(home, &http("502 Bad Gateway", "<html><body>bad gateway</body></html>")),
        &["setup", "new", "--from-profile", "work", "--yes"],
        1,
        &[
            "error: ANN cannot be checked: sts:GetCallerIdentity at AWS with key ANN: the server \
             failed with http 502",
            "  now: nothing was changed",
            " next: run the same command again",
        ],
    ),
    case(
        "a page of HTML with 403",
        |home, _| wire(home, &http("403 Forbidden", "<html><body>forbidden by your proxy</body></html>")),
        &["setup", "new", "--from-profile", "work", "--yes"],
        1,
        &[
            "error: ANN cannot be checked: sts:GetCallerIdentity at AWS with key ANN: rejected without \
             a code (http 403): the answer names no reason",
            "  now: nothing was changed",
            " next: look at HTTPS_PROXY and --endpoint-url: something else than AWS may answer there \
             (a portal to sign in to?)",
        ],
    ),
    case(
        "a page of HTML with 200",
        |home, stage| {
            stage.answers("GetCallerIdentity", "<html><body>please sign in</body></html>");
            home
        },
        &["setup", "new", "--from-profile", "work", "--yes"],
        1,
        &[
            "error: ANN cannot be checked: sts:GetCallerIdentity at AWS with key ANN: the answer makes \
             no sense: it is cut off, or answers something else",
            "  now: nothing was changed",
            " next: look at HTTPS_PROXY and --endpoint-url: something else than AWS may answer there \
             (a portal to sign in to?)",
        ],
    ),
    case(
        "an empty answer",
        |home, stage| {
            stage.answers("GetCallerIdentity", "");
            home
        },
        &["setup", "new", "--from-profile", "work", "--yes"],
        1,
        &[
            "error: ANN cannot be checked: sts:GetCallerIdentity at AWS with key ANN: the answer makes \
             no sense: http 200 with a body that cannot be read",
            "  now: nothing was changed",
            " next: look at HTTPS_PROXY and --endpoint-url: something else than AWS may answer there \
             (a portal to sign in to?)",
        ],
    ),
    case(
        "half an answer",
        |home, stage| {
            stage.sandbox().inject(Fault::on("GetCallerIdentity", FaultKind::TruncatedAnswer).always());
            home
        },
        &["setup", "new", "--from-profile", "work", "--yes"],
        1,
        &[
            "error: ANN cannot be checked: sts:GetCallerIdentity at AWS with key ANN: the answer makes \
             no sense: it is cut off, or answers something else",
            "  now: nothing was changed",
            " next: look at HTTPS_PROXY and --endpoint-url: something else than AWS may answer there \
             (a portal to sign in to?)",
        ],
    ),
    case(
        "an answer of 20 MB",
        |home, stage| {
            stage.answers("GetCallerIdentity", vec![b' '; 20 << 20]);
            home
        },
        &["setup", "new", "--from-profile", "work", "--yes"],
        1,
        &[
            "error: ANN cannot be checked: sts:GetCallerIdentity at AWS with key ANN: the answer makes \
             no sense: it is larger than 4194304 bytes",
            "  now: nothing was changed",
            " next: look at HTTPS_PROXY and --endpoint-url: something else than AWS may answer there \
             (a portal to sign in to?)",
        ],
    ),
    case(
        "an ARN that is none",
        |home, stage| {
            stage.answers("GetCallerIdentity", identity("nonsense"));
            home
        },
        &["setup", "new", "--from-profile", "work", "--yes"],
        1,
        &[
            "error: ANN belongs to \"nonsense\", which is no IAM user",
            "  now: nothing was changed",
            " next: use the access key of an IAM user; for roles and SSO see: akia cheatsheet",
        ],
    ),
    case(
        "an ARN of another account than the answer's own",
        |home, stage| {
            stage.answers("GetCallerIdentity", identity("arn:aws:iam::888888888888:user/eve"));
            home
        },
        &["setup", "new", "--from-profile", "work", "--yes"],
        1,
        &[
            "error: ANN belongs to \"arn:aws:iam::888888888888:user/eve\", which is no IAM user",
            "  now: nothing was changed",
            " next: use the access key of an IAM user; for roles and SSO see: akia cheatsheet",
        ],
    ),
    case(
        "half an answer about the keys",
        |home, stage| {
            stage.sandbox().inject(Fault::on("ListAccessKeys", FaultKind::TruncatedAnswer).always());
            home
        },
        &["rotate", "-p", "work", "--yes"],
        1,
        &[
            "refuse  profile \"work\": the user's keys cannot be listed: iam:ListAccessKeys at AWS \
             with key ANN: the answer makes no sense: it is cut off, or answers something else",
            "        next: look at HTTPS_PROXY and --endpoint-url: something else than AWS may answer \
             there (a portal to sign in to?)",
            "nothing was changed",
        ],
    ),
    case(
        "a list of somebody else's keys",
        |home, stage| {
            stage.answers("ListAccessKeys", list("AKIAIOSFODNN7EXAMPLE", "eve"));
            home
        },
        &["rotate", "-p", "work", "--yes"],
        1,
        &[
            "refuse  profile \"work\": the user's keys cannot be listed: iam:ListAccessKeys at AWS with key ANN: the answer makes no sense: it tells of another user",
            "        next: look at HTTPS_PROXY and --endpoint-url: something else than AWS may answer there (a portal to sign in to?)",
            "nothing was changed",
        ],
    ),
    case(
        "a list that is HTML",
        |home, stage| {
            stage.answers("ListAccessKeys", "<html>please sign in</html>");
            home
        },
        &["status", "-p", "work", "--output", "json"],
        3,
        &["profile \"work\": iam:ListAccessKeys at AWS with key ANN: the answer makes no sense: it \
             is cut off, or answers something else"],
    ),
];
