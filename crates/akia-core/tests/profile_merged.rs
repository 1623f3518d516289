//! The merged view: what each profile is, where its key stands, and what forbids to edit it.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use akia_core::profile::{
    Difference, File, FileKind, KeyHalf, Profile, ProfileKind, Profiles, RoleSource, SeenBy, Trouble,
};
use akia_core::{AccessKeyId, ProfileName};

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const OTHER_ID: &str = "AKIAI44QH8DHBEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn merged(credentials: &str, config: &str) -> Profiles {
    let files = (File::parse(FileKind::Credentials, credentials), File::parse(FileKind::Config, config));
    Profiles::merge(Some(&files.0), Some(&files.1))
}

fn name(text: &str) -> ProfileName {
    text.parse().unwrap()
}

fn id(text: &str) -> AccessKeyId {
    text.parse().unwrap()
}

fn key(id: &str) -> String {
    format!("aws_access_key_id = {id}\naws_secret_access_key = {SECRET}\n")
}

fn find<'a>(profiles: &'a Profiles, profile: &str) -> &'a Profile {
    profiles.find(&name(profile)).unwrap()
}

/// The kind of the profile `p` of a config file, and the trouble with it.
fn kind_in_config(settings: &str) -> (ProfileKind, Option<Trouble>) {
    let profiles = merged("", &format!("[profile p]\n{settings}"));
    let profile = find(&profiles, "p");
    (profile.kind.clone(), profile.trouble.clone())
}

#[test]
fn each_kind_is_told_apart() {
    let (config, plain) = (FileKind::Config, |settings: &str| {
        let (kind, trouble) = kind_in_config(settings);
        assert_eq!(trouble, None, "{settings}");
        kind
    });
    assert_eq!(plain(&key(ID)), ProfileKind::StaticKey { id: id(ID), file: config });
    assert_eq!(
        plain(&(key(ID) + "aws_session_token = t\n")),
        ProfileKind::Temporary { id: id(ID), file: config, long_term: None }
    );
    let temporary = "ASIAIOSFODNN7EXAMPLE";
    assert_eq!(plain(&key(temporary)), ProfileKind::Temporary { id: id(temporary), file: config, long_term: None });
    let role = "role_arn = arn:aws:iam::123456789012:role/r\n";
    let expected = |source| ProfileKind::Role {
        role_arn: "arn:aws:iam::123456789012:role/r".into(),
        source,
        mfa_serial: None,
        external_id: None,
        duration_seconds: None,
        role_session_name: None,
    };
    assert_eq!(plain(&format!("{role}source_profile = a b\n")), expected(RoleSource::Profile(name("a b"))));
    assert_eq!(
        plain(&format!("{role}credential_source = Environment\n")),
        expected(RoleSource::Credential("Environment".into()))
    );
    assert_eq!(
        plain(role),
        expected(RoleSource::Invalid { reason: "neither source_profile nor credential_source is set" })
    );
    assert_eq!(
        plain(&format!("{role}credential_source = Environment\nsource_profile = a\n")),
        expected(RoleSource::Invalid { reason: "both source_profile and credential_source are set" })
    );
    assert_eq!(
        plain(&format!(
            "{role}source_profile = a\nmfa_serial = m\nexternal_id = e\nduration_seconds = 900\nrole_session_name = s\n"
        )),
        ProfileKind::Role {
            role_arn: "arn:aws:iam::123456789012:role/r".into(),
            source: RoleSource::Profile(name("a")),
            mfa_serial: Some("m".into()),
            external_id: Some("e".into()),
            duration_seconds: Some(900),
            role_session_name: Some("s".into()),
        }
    );
    assert_eq!(
        plain(&format!("{role}web_identity_token_file = /t\n")),
        ProfileKind::WebIdentity { role_arn: Some("arn:aws:iam::123456789012:role/r".into()), token_file: "/t".into() }
    );
    assert_eq!(plain("login_session = arn:x\n"), ProfileKind::Login { session: "arn:x".into() });
    let ProfileKind::CredentialProcess { command } = plain("credential_process = /bin/x --password hunter2\n") else {
        panic!()
    };
    assert_eq!(command.as_str(), "/bin/x --password hunter2");
    assert!(!format!("{command:?}").contains("hunter2"));
    assert_eq!(plain("region = x\n"), ProfileKind::Empty);
    assert_eq!(plain(""), ProfileKind::Empty);
    let half = |missing| ProfileKind::IncompleteKey { missing, file: config };
    assert_eq!(plain(&format!("aws_access_key_id = {ID}\n")), half(KeyHalf::Secret));
    assert_eq!(plain(&format!("aws_access_key_id = {ID}\naws_secret_access_key =\n")), half(KeyHalf::Secret));
    assert_eq!(plain(&format!("aws_secret_access_key = {SECRET}\n")), half(KeyHalf::Id));
    let bad = |settings: &str| match plain(settings) {
        ProfileKind::BadKey { reason, file: FileKind::Config } => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        bad(&format!("aws_access_key_id = {SECRET}\naws_secret_access_key = {SECRET}\n")),
        "aws_access_key_id is not an access key id (16 to 128 letters and digits)"
    );
    assert_eq!(
        bad(&format!("aws_access_key_id = {ID}\naws_secret_access_key = a b\n")),
        "the secret access key contains white space or a control character at position 2"
    );
    assert_eq!(bad("aws_access_key_id =\naws_secret_access_key =\n"), "aws_access_key_id is empty");
}

#[test]
fn identity_center_is_read_from_its_session() {
    let profiles = merged(
        "",
        "[profile p]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\n\
         [sso-session s]\nsso_start_url = https://x\nsso_region = eu-west-1\n\
         [profile legacy]\nsso_start_url = https://y\nsso_region = us-east-1\nsso_account_id = 1\nsso_role_name = r\n",
    );
    let sso = |session: Option<&str>, url: &str, region: &str, account: &str| ProfileKind::Sso {
        session: session.map(str::to_owned),
        start_url: Some(url.into()),
        region: Some(region.into()),
        account: Some(account.into()),
        role: Some("r".into()),
    };
    assert_eq!(find(&profiles, "p").kind, sso(Some("s"), "https://x", "eu-west-1", "123456789012"));
    assert_eq!(find(&profiles, "legacy").kind, sso(None, "https://y", "us-east-1", "1"));
    assert_eq!(profiles.len(), 2);
}

#[test]
fn the_credentials_file_wins_and_default_comes_first() {
    let profiles = merged(
        &format!("[b]\n{}region = eu-west-1\n[default]\n{}", key(ID), key(OTHER_ID)),
        &format!("[profile c]\n[profile b]\n{}region = us-east-1\noutput = text\nmfa_serial = m\n", key(OTHER_ID)),
    );
    let order: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
    assert_eq!(order, ["default", "b", "c"]);
    let b = find(&profiles, "b");
    assert_eq!(b.kind, ProfileKind::StaticKey { id: id(ID), file: FileKind::Credentials });
    assert_eq!(b.region, Some("eu-west-1".parse().unwrap()));
    assert_eq!((b.output.as_deref(), b.mfa_serial.as_deref()), (Some("text"), Some("m")));
    assert_eq!((b.credentials_line, b.config_line), (Some(1), Some(2)));
    assert_eq!(b.keys.iter().map(|key| key.file).collect::<Vec<_>>(), [FileKind::Credentials, FileKind::Config]);
    assert_eq!(b.values.value("output"), Some("text"));
    assert_eq!(b.values.value("aws_secret_access_key"), None);
    let shared = profiles.sharing_key();
    let places: Vec<_> = shared.iter().map(|shared| (shared.id.as_str(), shared.places.len())).collect();
    assert_eq!(places, [(OTHER_ID, 2), (ID, 1)]);
    assert_eq!(
        shared[0].places,
        [(name("default"), FileKind::Credentials), (name("b"), FileKind::Config)],
        "the key in the shadow is found too"
    );
}

#[test]
fn aws_mfa_keeps_its_long_term_key_beside() {
    let profiles = merged(
        &format!(
            "[dev]\n{}aws_session_token = t\naws_security_token = t\n\
             [dev-long-term]\n{}aws_mfa_device = arn:aws:iam::123456789012:mfa/u\n\
             [lone]\n{}aws_session_token = t\n",
            key("ASIAIOSFODNN7EXAMPLE"),
            key(ID),
            key("ASIAIOSFODNN7EXAMPLE"),
        ),
        "",
    );
    let long_term = |profile| match &find(&profiles, profile).kind {
        ProfileKind::Temporary { long_term, .. } => long_term.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(long_term("dev"), Some(name("dev-long-term")));
    assert_eq!(long_term("lone"), None);
    let held = find(&profiles, "dev-long-term");
    assert_eq!(held.kind, ProfileKind::StaticKey { id: id(ID), file: FileKind::Credentials });
    assert_eq!(held.mfa_serial.as_deref(), Some("arn:aws:iam::123456789012:mfa/u"));
    assert_eq!(find(&profiles, "dev").keys, [], "temporary keys are not held keys");
}

#[test]
fn a_role_profile_may_hold_its_own_key() {
    let profiles = merged(&format!("[r]\n{}", key(ID)), "[profile r]\nrole_arn = x\nsource_profile = r\n");
    let profile = find(&profiles, "r");
    assert!(matches!(&profile.kind, ProfileKind::Role { source: RoleSource::Profile(own), .. } if own == &name("r")));
    assert_eq!(profile.keys.len(), 1);
    assert_eq!(profile.trouble, None);
}

#[test]
fn endpoints_come_from_the_profile_and_its_services() {
    let profiles = merged(
        "",
        "[default]\nendpoint_url = http://all\nservices = local\n\
         [services local]\niam =\n  endpoint_url = http://iam\ns3 =\n  addressing_style = path\n[profile p]\nservices = none\n",
    );
    let profile = find(&profiles, "default");
    assert_eq!(profile.endpoint_of("iam"), Some("http://iam"));
    assert_eq!(profile.endpoint_of("sts"), Some("http://all"));
    assert_eq!(find(&profiles, "p").endpoint_of("iam"), None);
}

#[test]
fn halves_of_a_key_in_two_files_are_trouble() {
    let difference = |credentials: &str, config: &str| match find(&merged(credentials, config), "p").trouble.clone() {
        Some(Trouble::Disagreement(disagreement)) => disagreement.difference,
        other => panic!("{other:?}"),
    };
    let (credentials, config) = (Some(FileKind::Credentials), Some(FileKind::Config));
    assert_eq!(
        difference(
            &format!("[p]\naws_access_key_id = {ID}\n"),
            &format!("[profile p]\naws_secret_access_key = {SECRET}\n")
        ),
        Difference::KeyFiles { key: "aws_secret_access_key", sdk: config, cli: None }
    );
    assert_eq!(
        difference(&format!("[p]\naws_secret_access_key = {SECRET}\n"), &format!("[profile p]\n{}", key(ID))),
        Difference::KeyFiles { key: "aws_secret_access_key", sdk: credentials, cli: config }
    );
    assert_eq!(
        difference(&format!("[p]\n{}", key(ID)), "[profile p]\naws_session_token = t\n"),
        Difference::KeyFiles { key: "aws_session_token", sdk: config, cli: None }
    );
    assert_eq!(
        difference(&format!("[ p ]\n{}", key(ID)), &format!("[profile p]\n{}", key(OTHER_ID))),
        Difference::KeyFiles { key: "aws_access_key_id", sdk: credentials, cli: config }
    );
    assert_eq!(
        difference(&format!("[ p ]\n{}", key(ID)), "[profile p]\nregion = x\n"),
        Difference::KeyFiles { key: "aws_access_key_id", sdk: credentials, cli: None }
    );
    assert_eq!(
        difference(&format!("[p]\n{}", key(ID)), "[profile p]\ncredential_process = /bin/x\n"),
        Difference::Provider { sdk: "credential_process", cli: "the key in the credentials file" }
    );
    assert_eq!(
        difference(&format!("[p]\n{}", key(ID)), "[profile p]\nsso_session = s\n"),
        Difference::Provider { sdk: "the sso_ settings", cli: "the key in the credentials file" }
    );
    assert_eq!(
        difference(&format!("[p]\n{}", key(ID)), "[profile p]\ncredential_source = Environment\n"),
        Difference::Provider { sdk: "credential_source", cli: "the key in the credentials file" }
    );
    for half in ["sso_account_id = 123456789012\n", "sso_role_name = r\n"] {
        let profiles = merged(&format!("[p]\n{}", key(ID)), &format!("[profile p]\n{half}"));
        assert_eq!(find(&profiles, "p").trouble, None, "either of the two is enough for both readers: {half}");
    }
    let message =
        find(&merged(&format!("[p]\naws_secret_access_key = {SECRET}\n"), &format!("[profile p]\n{}", key(ID))), "p")
            .trouble
            .clone()
            .unwrap()
            .to_string();
    assert_eq!(
        message,
        "profile \"p\" in the credentials file, line 1: the AWS SDK for Rust takes aws_secret_access_key from the \
         credentials file, the AWS CLI from the config file"
    );
}

#[test]
fn a_malformed_line_is_trouble_for_every_profile_of_both_files() {
    let profiles = merged(&format!("[a]\n{}", key(ID)), "[profile b]\nwhat\nregion = eu-west-1\n");
    assert_eq!(profiles.problems().len(), 1);
    for profile in profiles.iter() {
        assert!(matches!(&profile.trouble, Some(Trouble::Problem(problem)) if problem.line == 2), "{}", profile.name);
    }
    assert_eq!(find(&profiles, "b").region, Some("eu-west-1".parse().unwrap()), "still shown");
    let unprefixed = merged("", "[a]\nregion = x\n");
    assert_eq!(unprefixed.len(), 0, "neither reader takes it for a profile");
    let bom = merged("\u{feff}[a]\nregion = x\n", "");
    assert_eq!(find(&bom, "a").values.value("region"), Some("x"), "shown in spite of the byte order mark");
}

#[test]
fn profiles_that_one_reader_sees_are_no_trouble() {
    let profiles = merged(&format!("[a b]\n{}[profile x]\n{}", key(ID), key(ID)), "[ profile c ]\nregion = x\n");
    for (profile, seen_by) in [("a b", SeenBy::CliOnly), ("profile x", SeenBy::CliOnly), ("c", SeenBy::SdkOnly)] {
        let profile = find(&profiles, profile);
        assert_eq!((profile.seen_by, &profile.trouble), (seen_by, &None));
    }
    assert_eq!(Profiles::merge(None, None).len(), 0);
}

#[test]
fn no_secret_is_in_the_debug_text() {
    let planted = "planted-secret";
    let profiles = merged(
        &format!("[a]\naws_access_key_id = {ID}\naws_secret_access_key = {planted}\naws_session_token = {planted}\n"),
        &format!("[profile b]\nsome_password = {planted}\ncredential_process = x {planted}\ns3 =\n  x = {planted}\n"),
    );
    assert!(!format!("{profiles:?}").contains(planted));
}

#[test]
fn settings_are_listed_by_key_and_shown_without_their_values() {
    let profiles = merged("", "[profile p]\nregion = x\noutput = json\ncredential_process = program --password open\n");
    let profile = find(&profiles, "p");
    let ProfileKind::CredentialProcess { command } = &profile.kind else { panic!("{:?}", profile.kind) };
    assert_eq!(format!("{command:?}"), "Command(23 bytes)");
    let listed: Vec<_> = profile.values.iter().filter(|(key, _)| *key != "credential_process").collect();
    assert_eq!(listed, [("output", "json"), ("region", "x")]);
    let shown = format!("{:?}", profile.values);
    assert!(shown.starts_with('{') && shown.contains("\"region\"") && !shown.contains("json"), "{shown}");
}

#[test]
fn the_missing_half_of_a_key_is_named_as_it_stands_in_the_file() {
    assert_eq!(KeyHalf::Id.to_string(), "aws_access_key_id");
    assert_eq!(KeyHalf::Secret.to_string(), "aws_secret_access_key");
    assert_eq!(format!("[{:>22}]", KeyHalf::Secret), "[ aws_secret_access_key]");
}

#[test]
fn two_files_without_a_profile_hold_none() {
    assert!(merged("# nothing\n", "").is_empty());
    assert!(!merged("[p]\n", "").is_empty());
}

#[test]
fn settings_of_identity_center_without_an_account_are_still_its() {
    let (kind, trouble) = kind_in_config("sso_start_url = https://x\n");
    assert!(matches!(kind, ProfileKind::Sso { session: None, account: None, .. }), "{kind:?}");
    assert_eq!(trouble, None);
}

#[test]
fn a_setting_without_a_value_or_with_many_lines_is_none() {
    for value in ["", "\n  a = b"] {
        let (kind, _) = kind_in_config(&format!("credential_process ={value}\n"));
        assert!(
            !matches!(&kind, ProfileKind::CredentialProcess { command } if !command.as_str().is_empty()),
            "{value:?}: {kind:?}"
        );
    }
}
