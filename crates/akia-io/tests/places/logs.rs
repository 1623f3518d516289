//! What reaches a log while secrets are written to places and read back, at its most talkative.

use akia_io::aws::{Aws, AwsOptions, Credentials, Target};
use akia_io::place::Expected;

use crate::keys::{id, pair, secret};
use crate::log::Log;
use crate::server::{Act, Server};
use crate::support::TOKEN;
use crate::{gitlab, secrets_manager, ssm};

/// One thread, so that everything that runs here is listened to.
#[tokio::test]
async fn no_secret_is_logged_on_its_way_to_a_place_or_back() {
    let (log, guard) = Log::listen();

    let (desk, _moto) = ssm::desk(ssm::forwarded).await;
    let parameters = ssm::place("logged");
    ssm::put("logged", 1);
    desk.places.deliver(&parameters, &pair(2), Expected::keys(&[id(1)])).await.unwrap();
    let bench = secrets_manager::Bench::new("logged").holding();
    bench.deliver(2, &[1]).await.unwrap();
    let (gitlab, variables) = gitlab::project().await;
    gitlab.deliver(&variables, 2, &[], None).await.unwrap();

    // A call whose requests the SDK may log: were nobody listening, nothing could be missed.
    let refusing = Server::start(|_| Act::Answer(403, "", String::new())).await;
    let options = AwsOptions { endpoint_url: Some(refusing.address.parse().unwrap()), ..AwsOptions::default() };
    let own = Credentials::for_key(id(900), akia_core::SecretAccessKey::parse(secret(900)).ok().unwrap());
    Aws::new(options).caller(own, Target::default()).access_keys(None).await.unwrap_err();
    drop(guard);
    let text = log.text();
    assert!(text.contains("TRACE") && text.contains("ListAccessKeys"), "the log was listened to");
    for needle in [&secret(1), &secret(2), &secret(900), TOKEN] {
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(needle)).collect();
        assert!(lines.is_empty(), "{needle}: {}", lines.join("\n").chars().take(500).collect::<String>());
    }
}
