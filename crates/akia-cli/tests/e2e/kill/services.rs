//! The rotation of a service, killed on its way to an env file, a secret of Secrets Manager and two parameters of Systems Manager
//! (moto's; the keys are the sandbox's). No key is lost, and in the end every place has one that is active.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::story::resume;
use super::tracer::{self, Strike, When};
use crate::hand::side_by_side;
use crate::support::{Backend, Cloud, Home, Key};

const USER: &str = "service-billing";
/// Every how-manyth point is struck. All of them take minutes; the steps of a rotation take more points than this.
const STEP: usize = 12;
const SIDE_BY_SIDE: usize = 40;

#[test]
fn a_service_killed_on_its_way_to_its_places() {
    let (watched, _) = tell(usize::MAX).unwrap_or_else(|wrong| panic!("undisturbed: {wrong}"));
    assert!(watched > 100, "only {watched} points: the tracer is broken");
    let chosen: Vec<usize> = (STEP / 2..watched).step_by(STEP).collect();
    let began = std::time::Instant::now();
    let killed = AtomicUsize::new(0);
    side_by_side(SIDE_BY_SIDE, chosen.len(), |turn| {
        let at = chosen[turn];
        let (_, is_killed) = tell(at).map_err(|wrong| format!("killed at point {at} of {watched}: {wrong}"))?;
        killed.fetch_add(usize::from(is_killed), Ordering::Relaxed);
        Ok(())
    });
    let killed = killed.into_inner();
    println!("a service: killed at {killed} of {watched} points in {:.0} s", began.elapsed().as_secs_f64());
    // A run may make a few calls less than the one that was counted.
    assert!(killed * 10 >= chosen.len() * 8, "only {killed} of {} points were reached", chosen.len());
}

/// One run. Gives the number of points that were seen, and whether it was killed.
fn tell(at: usize) -> Result<(usize, bool), String> {
    let scene = Scene::new();
    let strike = if at == usize::MAX { Strike::Watch } else { Strike::Kill };
    let traced = tracer::run(&scene.home.command(&scene.rotate()), When::Point(at), strike);
    let is_killed = traced.struck.is_some();
    let told = |what: String| format!("{what}\n  struck: {:?}\n  stderr: {}", traced.struck, traced.stderr);
    if !is_killed && traced.code != Some(0) || traced.stderr.contains("panicked") {
        return Err(told("it failed without being killed".to_owned()));
    }
    scene.holds_at_once().map_err(|what| told(format!("right after: {what}")))?;
    scene.take_up().map_err(|what| told(format!("taking it up: {what}")))?;
    scene.holds_at_the_end().map_err(|what| told(format!("at the end: {what}")))?;
    Ok((traced.points.len(), is_killed))
}

/// A service user with one key in three places.
struct Scene {
    cloud: Cloud,
    /// Where secrets and parameters are.
    vault: Cloud,
    home: Home,
    old: Key,
    config: String,
}

/// What a place holds, read without any code of ours.
#[derive(Debug)]
struct Held {
    place: &'static str,
    id: String,
    secret: String,
}

impl Scene {
    fn new() -> Self {
        let (cloud, vault) = (Backend::Sandbox.open(), Backend::Moto.open());
        cloud.user_without_rights(USER, "/service/");
        let old = cloud.key(USER);
        let value = json!({ "AWS_ACCESS_KEY_ID": old.id, "AWS_SECRET_ACCESS_KEY": old.secret, "bucket": "invoices" });
        vault.call("secretsmanager", "create_secret", json!({ "Name": "billing", "SecretString": value.to_string() }));
        for (name, value) in [("id", &old.id), ("secret", &old.secret)] {
            let name = format!("/billing/{name}");
            vault.call("ssm", "put_parameter", json!({ "Name": name, "Value": value, "Type": "SecureString" }));
        }
        let home = Home::new(&cloud)
            .with("AWS_ENDPOINT_URL_SECRETS_MANAGER", &vault.endpoint)
            .with("AWS_ENDPOINT_URL_SSM", &vault.endpoint)
            .profile("admin", &cloud.admin)
            .profile("vault", &vault.admin)
            .file("billing.env", format!("A=b\nAWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\n", old.id, old.secret));
        let file = home.path("billing.env").display().to_string();
        let aws = "profile = \"vault\"\nregion = \"us-east-1\"";
        let settings = format!(
            "[service.billing]\nprofile = \"admin\"\n\
             [[service.billing.place]]\nkind = \"env-file\"\npath = {file:?}\n\
             [[service.billing.place]]\nkind = \"secrets-manager\"\nsecret = \"billing\"\n{aws}\n\
             [[service.billing.place]]\nkind = \"ssm-parameter\"\n{aws}\n\
             names = {{ id = \"/billing/id\", secret = \"/billing/secret\" }}\n"
        );
        let config = home.path("akia.toml").display().to_string();
        Self { home: home.file("akia.toml", settings), cloud, vault, old, config }
    }

    fn rotate(&self) -> [&str; 6] {
        ["rotate", "--service", "billing", "--yes", "--config", &self.config]
    }

    fn held(&self) -> Vec<Held> {
        let file = self.home.read("billing.env");
        let line = |name: &str| {
            let found = file.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            found.unwrap_or_default().to_owned()
        };
        // Asked without a label, moto gives a version that has lost it.
        let asked = json!({ "SecretId": "billing", "VersionStage": "AWSCURRENT" });
        let answer = self.vault.call("secretsmanager", "get_secret_value", asked);
        let secret: Value = serde_json::from_str(answer["SecretString"].as_str().unwrap()).unwrap();
        let parameter = |name: &str| {
            let asked = json!({ "Name": format!("/billing/{name}"), "WithDecryption": true });
            self.vault.call("ssm", "get_parameter", asked)["Parameter"]["Value"].as_str().unwrap().to_owned()
        };
        let text = |name: &str| secret[name].as_str().unwrap_or_default().to_owned();
        vec![
            Held { place: "file", id: line("AWS_ACCESS_KEY_ID"), secret: line("AWS_SECRET_ACCESS_KEY") },
            Held { place: "secret", id: text("AWS_ACCESS_KEY_ID"), secret: text("AWS_SECRET_ACCESS_KEY") },
            Held { place: "parameters", id: parameter("id"), secret: parameter("secret") },
        ]
    }

    /// The sandbox's own word on the user's keys: whether each is active.
    fn keys(&self) -> BTreeMap<String, bool> {
        let keys = self.cloud.sandbox().keys().into_iter().filter(|key| key.user.as_deref() == Some(USER));
        keys.map(|key| (key.id, key.active)).collect()
    }

    /// AWS takes the pair: its two halves belong together.
    fn works(&self, id: &str, secret: &str) -> Result<(), String> {
        let key = Key { id: id.to_owned(), secret: secret.to_owned(), token: None };
        self.cloud.caller(&key).map(drop).map_err(|code| format!("{id} with its secret is refused: {code}"))
    }

    /// Whenever the program is dead: the old key is active, and each place has a whole pair that AWS takes. Parameters may be torn,
    /// as their page says: the new secret with the id of the old key, which is active.
    fn holds_at_once(&self) -> Result<(), String> {
        let (keys, mut tried) = (self.keys(), BTreeSet::from([(self.old.id.clone(), self.old.secret.clone())]));
        if keys.get(&self.old.id) != Some(&true) {
            return Err(format!("the old key is not active: {keys:?}"));
        }
        for Held { place, id, secret } in self.held() {
            if keys.get(&id) != Some(&true) {
                return Err(format!("the {place} names {id}, which is not active: {keys:?}"));
            }
            let is_torn = place == "parameters" && id == self.old.id && secret != self.old.secret;
            if !is_torn && tried.insert((id.clone(), secret.clone())) {
                self.works(&id, &secret).map_err(|what| format!("the {place}: {what}"))?;
            }
        }
        Ok(())
    }

    /// What a person does who finds the program dead; the command again, where nothing was begun.
    fn take_up(&self) -> Result<(), String> {
        resume(&self.home)?;
        if self.held().iter().all(|held| held.id == self.old.id) {
            self.home.akia(&self.rotate()).done();
        }
        Ok(())
    }

    /// One new key in every place, whole; the old one is watched and active; no third was made.
    fn holds_at_the_end(&self) -> Result<(), String> {
        let (held, keys) = (self.held(), self.keys());
        let new = &held[0];
        if new.id == self.old.id || held.iter().any(|one| (&one.id, &one.secret) != (&new.id, &new.secret)) {
            let held: Vec<(&str, &str)> = held.iter().map(|held| (held.place, held.id.as_str())).collect();
            return Err(format!("the places do not hold one new key, whole: {held:?}; {keys:?}"));
        }
        if keys != [(self.old.id.clone(), true), (new.id.clone(), true)].into() {
            return Err(format!("not the old and the new key, both active: {keys:?}; the new one is {}", new.id));
        }
        self.works(&new.id, &new.secret)?;
        let file = self.home.read("billing.env");
        if !file.starts_with("A=b\n") || file.lines().count() != 3 {
            return Err(format!("bytes beside the key changed: {} lines", file.lines().count()));
        }
        Ok(())
    }
}
