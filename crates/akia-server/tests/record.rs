//! The pages of the journal, asked for as a browser would: through the router, after a login by link.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use akia_core::settings::Settings;
use akia_io::clock::Clock;
use akia_io::state::StateFolder;
use akia_io::store::SqlStore;
use akia_io::store::snapshots::Snapshots;
use akia_server::Database;
use akia_server::access::Access;
use akia_server::demo::{self, Size};
use akia_server::record::{Ask, Kind, Moment, Thread};
use akia_server::sight::{Person, Role, Sight};
use akia_server::web::{self, Parts, Shared};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const SIZE: Size = Size { accounts: 12, users: 40 };

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

/// It is always the same moment.
#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        now()
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }
}

const SERVICE: &str = "[service.billing]\nmax-age = \"60d\"\n[[service.billing.place]]\nkind = \"env-file\"\npath = \"/srv/billing.env\"\n";

struct Site {
    _folder: tempfile::TempDir,
    address: String,
    shared: Shared,
    all: Vec<Thread>,
}

/// A page and its status.
struct Answer {
    status: u16,
    head: String,
    page: String,
}

async fn site() -> Site {
    let folder = tempfile::tempdir().unwrap();
    let state = StateFolder::open(&folder.path().join("state")).unwrap();
    let audits = Snapshots::open(&state).await.unwrap();
    let journal = SqlStore::open(&state).await.unwrap();
    demo::keep(&audits, SIZE, now()).await.unwrap();
    demo::expose(&audits, SIZE, now()).await.unwrap();
    demo::tell(&journal, SIZE, now()).await.unwrap();
    let database = Database::sqlite(&folder.path().join("serve.db")).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let access = Access::new(database.clone(), false);
    let parts = Parts::new(database, &state, access, vec![address.clone()], Arc::new(Stopped));
    let services = Arc::new(Settings::parse(SERVICE).unwrap().services);
    let shared = Shared::new(Parts { enforce: Some(demo::policy(SIZE, now())), services, ..parts });
    shared.estate.refresh(&audits, &shared.settings).await.unwrap();
    shared.records.follow(&journal, &audits, now()).await.unwrap();
    let all = shared.records.threads(&Sight::ALL, &Ask { size: 100_000, ..Ask::default() }).await.unwrap().rows;
    tokio::spawn(web::serve(listener, shared.clone(), std::future::pending()));
    Site { _folder: folder, address, shared, all }
}

impl Site {
    async fn ask(&self, path: &str, cookie: &str) -> Answer {
        self.send("GET", path, cookie, "").await
    }

    async fn send(&self, method: &str, path: &str, cookie: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let (host, length) = (&self.address, body.len());
        let kind = "application/x-www-form-urlencoded";
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: close\r\nContent-Type: {kind}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, page) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), page: page.to_owned() }
    }

    /// The cookie of somebody who has followed their link.
    async fn login(&self, role: Role, name: &str, units: &[&str]) -> String {
        let units = units.iter().map(|&unit| unit.to_owned()).collect();
        let person = Person { name: name.to_owned(), role, units };
        let link = self.shared.access.link(&person, now().as_second()).await.unwrap();
        let answer = self.ask(&link.path, "").await;
        let cookie = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    fn of(&self, kind: Kind, rest: &str) -> &Thread {
        self.all.iter().find(|one| one.kind == kind && one.rest == rest).unwrap()
    }
}

#[tokio::test]
async fn rotations_are_listed_and_one_is_told_with_its_steps() {
    let site = site().await;
    let admin = site.login(Role::Admin, "local", &[]).await;
    let list = site.ask("/rotations", &admin).await;
    assert_eq!(list.status, 200);
    let rotations: Vec<_> = site.all.iter().filter(|one| one.kind == Kind::Rotation).collect();
    assert!(list.page.contains(&format!("{} rotations", rotations.len())));
    assert!(rotations.iter().all(|one| list.page.contains(&format!("/rotations/{}", one.id))));
    let asked = site.of(Kind::Rotation, "undecided");
    let page = site.ask(&format!("/rotations/{}", asked.id), &admin).await.page;
    assert!(page.contains("needs a person"), "{page}");
    for command in &asked.commands {
        assert!(page.contains(&format!("<code>{command}</code>")), "{command}");
    }
    let steps = site.ask(&format!("/rotations/{}/steps", asked.id), &admin).await;
    assert!(steps.page.starts_with("<ol class=\"steps\">"), "the fragment alone: {}", steps.page);
    assert!(page.contains(&steps.page), "the page has the same steps");
    let case = site.of(Kind::Case, "seen");
    assert_eq!(site.ask(&format!("/rotations/{}", case.id), &admin).await.status, 404, "a case is no rotation");
}

#[tokio::test]
async fn the_campaign_says_where_each_key_is_what_comes_and_who_decides() {
    let site = site().await;
    let admin = site.login(Role::Admin, "local", &[]).await;
    let page = site.ask("/campaign", &admin).await.page;
    let open: Vec<_> = site.all.iter().filter(|one| one.kind == Kind::Case && !one.is_over).collect();
    for (stage, words) in [("notified", "owner told"), ("deactivated", "inactive")] {
        let count = open.iter().filter(|one| one.stage == stage).count();
        assert!(page.contains(&format!("<td>{words}</td><td>{count}</td>")), "{words} {count}: {page}");
    }
    let week = now().as_second() + 7 * 86_400;
    let due: Vec<_> = open.iter().filter(|one| one.next.as_ref().is_some_and(|next| next.at < week)).collect();
    assert!(page.contains(&format!("{} keys have something due", due.len())));
    assert!(due.iter().all(|one| page.contains(&format!("/keys/{}", one.key_id))));
    let held: Vec<_> = open.iter().filter(|one| one.needs_person).collect();
    assert!(!held.is_empty() && held.iter().all(|one| page.contains("the key is in use") && page.contains(&one.user)));
    assert!(page.contains("<svg"));
}

#[tokio::test]
async fn leaks_say_what_is_left_and_which_exposed_key_nobody_has_contained() {
    let site = site().await;
    let admin = site.login(Role::Admin, "local", &[]).await;
    let page = site.ask("/leaks", &admin).await.page;
    let refused = site.of(Kind::Containment, "held");
    assert!(page.contains(&format!("akia resume {}", refused.id)));
    assert!(page.contains("AccessDenied: not authorized to perform iam:UpdateAccessKey"));
    let contained = site.of(Kind::Containment, "contained");
    assert!(page.contains(&contained.state));
    let exposed: Vec<_> = site.all.iter().filter(|one| one.kind == Kind::Exposure).collect();
    let open: Vec<_> = exposed.iter().filter(|one| one.key_id != contained.key_id).collect();
    assert_eq!((exposed.len(), open.len()), (2, 1));
    assert_eq!(page.matches("not contained<").count(), 1, "{page}");
    assert!(page.contains(&format!("akia contain {}", open[0].key_id)));
}

#[tokio::test]
async fn exemptions_stand_under_how_they_stand_and_nobody_reads_a_neighbours() {
    let site = site().await;
    let admin = site.login(Role::Admin, "local", &[]).await;
    let page = site.ask("/exemptions", &admin).await.page;
    let policy = site.shared.enforce.as_ref().unwrap();
    let week = now() + jiff::SignedDuration::from_hours(24 * 7);
    let count = |title: &str, holds: &dyn Fn(Timestamp) -> bool| {
        let count = policy.exemptions.iter().filter(|one| holds(one.expires)).count();
        assert!(count > 0 && page.contains(&format!("{title} ({count})")), "{title} {count}: {page}");
    };
    count("End within a week", &|expires| expires > now() && expires < week);
    count("Running", &|expires| expires >= week);
    count("Ended", &|expires| expires <= now());
    let one = &policy.exemptions[0];
    let owner = site.login(Role::Owner, &one.owner, &[]).await;
    let theirs = site.ask("/exemptions", &owner).await.page;
    assert!(theirs.contains(&one.ticket));
    let others: Vec<_> = policy.exemptions.iter().filter(|other| other.owner != one.owner).collect();
    assert!(!others.is_empty() && others.iter().all(|other| !theirs.contains(other.user.as_ref().unwrap().as_str())));
    let nobody = site.login(Role::Viewer, "v", &["Root/Prod"]).await;
    assert!(site.ask("/exemptions", &nobody).await.page.contains("none that you may see"));
}

#[tokio::test]
async fn the_life_of_a_key_is_told_from_its_creation_to_its_deadline() {
    let site = site().await;
    let admin = site.login(Role::Admin, "local", &[]).await;
    let case = site.of(Kind::Case, "deactivated");
    let page = site.ask(&format!("/keys/{}", case.key_id), &admin).await.page;
    let mut last = 0;
    for word in [
        "<strong>created</strong>",
        "<strong>notified</strong>",
        "<strong>deactivated</strong>",
        "<strong>due</strong>",
    ] {
        let at = page.find(word).unwrap_or_else(|| panic!("{word}: {page}"));
        assert!(at > last, "{word} comes after what was before it");
        last = at;
    }
    assert!(page.contains("Next: the key is deleted"), "{page}");
    assert!(page.contains(&format!("akia enforce reactivate {}", case.key_id)));
    assert!(page.contains("aws iam update-access-key"), "the AWS CLI's own command");
    let old = site.of(Kind::Case, "notified");
    let page = site.ask(&format!("/keys/{}", old.key_id), &admin).await.page;
    assert!(page.contains(&format!("akia rotate --user {}", old.user)), "what mends the finding: {page}");
    // A key that the audit does not have, and the journal does.
    let done = site.of(Kind::Rotation, "retired");
    let page = site.ask(&format!("/keys/{}", done.key_id), &admin).await.page;
    assert!(page.contains("does not have this key any more") && page.contains("<strong>deleted</strong>"), "{page}");
    // The one that has replaced it, with the places that hold it.
    let page = site.ask(&format!("/keys/{}", done.new_key_id.as_ref().unwrap()), &admin).await.page;
    assert!(
        page.contains("<dt>Places</dt>") && page.contains(&format!("/home/{}/.aws/credentials", done.user)),
        "{page}"
    );
}

#[tokio::test]
async fn what_is_not_seen_is_answered_like_what_is_not_there() {
    let site = site().await;
    let rotation = site.of(Kind::Rotation, "undecided");
    let key = &rotation.key_id;
    let stranger = site.login(Role::Owner, "stranger@example.com", &[]).await;
    let admin = site.login(Role::Admin, "local", &[]).await;
    for (path, absent) in [
        (format!("/rotations/{}", rotation.id), "/rotations/r-ffffffffffffffff".to_owned()),
        (format!("/rotations/{}/steps", rotation.id), "/rotations/r-ffffffffffffffff/steps".to_owned()),
        (format!("/keys/{key}"), "/keys/AKIAEXAMPLEZZZZZZZZZ".to_owned()),
    ] {
        assert_eq!(site.ask(&path, &admin).await.status, 200, "{path}");
        let (unseen, absent_answer) = (site.ask(&path, &stranger).await, site.ask(&absent, &stranger).await);
        assert_eq!((unseen.status, absent_answer.status), (404, 404), "{path}");
        assert_eq!(unseen.page.replace(&path, ""), absent_answer.page.replace(&absent, ""), "{path}");
    }
    for path in ["/rotations", "/campaign", "/leaks", "/exemptions"] {
        let page = site.ask(path, &stranger).await;
        assert_eq!(page.status, 200);
        assert!(!page.page.contains("AKIA"), "{path} shows a key: {}", page.page);
        let unknown = site.ask(path, "").await;
        assert_eq!(unknown.status, 303, "{path} without a login");
    }
}

#[tokio::test]
async fn pages_have_no_style_and_no_script_within() {
    let site = site().await;
    let admin = site.login(Role::Admin, "local", &[]).await;
    let key = &site.of(Kind::Case, "notified").key_id;
    let rotation = &site.of(Kind::Rotation, "watching").id;
    for path in
        ["/rotations", "/campaign", "/leaks", "/exemptions", &format!("/keys/{key}"), &format!("/rotations/{rotation}")]
    {
        let page = site.ask(path, &admin).await.page;
        assert!(!page.contains("style=") && !page.contains("<style") && !page.contains("<script>"), "{path}");
    }
}

#[tokio::test]
async fn operators_act_on_keys_and_services_and_others_are_offered_nothing() {
    let site = site().await;
    let shut =
        site.all.iter().find(|one| one.kind == Kind::Case && one.stage == "deactivated" && !one.is_over).unwrap();
    let open = site.of(Kind::Case, "seen");
    let operator = site.login(Role::Operator, "ona@example.com", &[]).await;
    let path = format!("/keys/{}", shut.key_id);
    let page = site.ask(&path, &operator).await.page;
    let key = page.split("name=\"form_key\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(page.contains(&format!("action=\"{path}/reactivate\"")), "{page}");
    let acts = [
        (path.clone() + "/reactivate", "reason=it+is+%22needed%22%0A+--yes"),
        ("/services/billing/rotate".to_owned(), ""),
    ];
    for (role, name, units) in [
        (Role::Viewer, "vic", &[][..]),
        (Role::Operator, "leo", &["Root/Legacy"]),
        (Role::Owner, "shop@example.com", &[]),
    ] {
        let other = site.login(role, name, units).await;
        let key = {
            let page = site.ask("/keys", &other).await.page;
            page.split("name=\"form_key\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
        };
        for (path, body) in &acts {
            let status = site.send("POST", path, &other, &format!("form_key={key}&{body}")).await.status;
            assert!(matches!(status, 403 | 404), "{name} {path}: {status}");
        }
        assert!(!site.ask(&path, &other).await.page.contains("/reactivate"), "{name}");
    }
    // One that is not shut, one that is nobody's, and no reason.
    for path in [format!("/keys/{}/reactivate", open.key_id), "/keys/AKIAIOSFODNN7EXAMPLE/reactivate".to_owned()] {
        assert_eq!(site.send("POST", &path, &operator, &format!("form_key={key}&reason=x")).await.status, 404);
    }
    let (path, _) = &acts[0];
    assert_eq!(site.send("POST", path, &operator, &format!("form_key={key}&reason=+")).await.status, 400);
    assert!(site.shared.runs.latest(None, 10).await.unwrap().is_empty());
    for (path, body) in &acts {
        assert_eq!(site.send("POST", path, &operator, &format!("form_key={key}&{body}")).await.status, 303, "{path}");
    }
    let runs = site.shared.runs.latest(None, 10).await.unwrap();
    let commands: Vec<String> = runs.iter().rev().map(|run| run.command.join("|")).collect();
    assert_eq!(
        commands,
        [
            format!("enforce|reactivate|{}|--yes|--reason=it is \"needed\" --yes (ona@example.com)", shut.key_id),
            "rotate|--service|billing|--older-than|1h|--yes".to_owned(),
        ]
    );
    let page = site.ask("/services", &operator).await.page;
    assert!(page.contains("/srv/billing.env") && page.contains("60d"), "{page}");
}

/// By what the pages of the keys say.
#[tokio::test]
async fn the_time_to_remediate_is_that_from_the_first_word_to_the_shut_key() {
    let site = site().await;
    let viewer = site.login(Role::Viewer, "vic", &[]).await;
    let metrics = site.ask("/metrics", &viewer).await.page;
    let mut slowest = Vec::new();
    for kind in [Kind::Case, Kind::Containment] {
        let mut took = Vec::new();
        for thread in site.all.iter().filter(|thread| thread.kind == kind) {
            let life = site.shared.records.life(&Sight::ALL, &thread.key_id).await.unwrap();
            let is_shut = |moment| matches!(moment, Some(Moment::Deactivated | Moment::Deleted));
            let shut = life.iter().filter(|told| told.thread == thread.id && is_shut(told.moment)).map(|told| told.at);
            took.extend(shut.min().filter(|at| *at >= now().as_second() - 90 * 86_400).map(|at| at - thread.began_at));
        }
        took.sort_unstable();
        let kind = kind.as_str();
        assert!(!took.is_empty(), "no {kind}");
        for (quantile, seconds) in [("0.5", took[took.len().div_ceil(2) - 1]), ("1", took[took.len() - 1])] {
            let line = format!("akia_time_to_remediate_seconds{{kind=\"{kind}\",quantile=\"{quantile}\"}} {seconds}\n");
            assert!(metrics.contains(&line), "{line} is not in {metrics}");
        }
        let line = format!("akia_remediated_keys{{kind=\"{kind}\"}} {}\n", took.len());
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
        slowest.push(took[took.len() - 1]);
    }
    assert!(slowest[0] > 86_400 && slowest[1] < 86_400, "weeks for a case, and not for a leak: {slowest:?}");
}
