use std::collections::{BTreeMap, BTreeSet};

use akia_core::ThreadId;
use akia_core::journal::{Event, Intent, Record};
use akia_core::rule::AuditSettings;
use akia_io::state::StateFolder;
use akia_io::store::SqlStore;
use akia_io::store::snapshots::Snapshots;
use akia_io::store::{SharedStore, Threads};
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::database::{Sql, maybe_text, number, text};
use crate::demo::{self, Size};
use crate::estate::{Estate, Question, Row};
use crate::sight::{Person, Role, Sight};

const SIZE: Size = Size { accounts: 12, users: 40 };

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

struct Desk {
    folder: tempfile::TempDir,
    database: Database,
    audits: Snapshots,
    journal: SharedStore,
    estate: Estate,
    records: Records,
}

async fn journal(folder: &tempfile::TempDir, name: &str, size: Size, at: Timestamp) -> SharedStore {
    let state = StateFolder::open(&folder.path().join(name)).unwrap();
    let journal: SharedStore = std::sync::Arc::new(SqlStore::open(&state).await.unwrap());
    demo::tell(&*journal, size, at).await.unwrap();
    journal
}

async fn desk() -> Desk {
    let (folder, database) = crate::database::tests::scratch().await;
    let state = StateFolder::open(&folder.path().join("state")).unwrap();
    let audits = Snapshots::open(&state).await.unwrap();
    demo::keep(&audits, SIZE, now()).await.unwrap();
    demo::expose(&audits, SIZE, now()).await.unwrap();
    let journal = journal(&folder, "state", SIZE, now()).await;
    let (estate, records) = (Estate::new(database.clone()), Records::new(database.clone()));
    let desk = Desk { folder, database, audits, journal, estate, records };
    desk.estate.refresh(&desk.audits, &AuditSettings::default()).await.unwrap();
    assert!(desk.follow(now()).await);
    desk
}

impl Desk {
    async fn follow(&self, at: Timestamp) -> bool {
        self.records.follow(&*self.journal, &self.audits, at).await.unwrap()
    }

    async fn threads(&self, sight: &Sight, ask: Ask) -> Vec<Thread> {
        self.records.threads(sight, &Ask { size: 100_000, ..ask }).await.unwrap().rows
    }

    async fn keys(&self) -> Vec<Row> {
        let all = Question { size: u32::MAX, ..Question::default() };
        self.estate.keys(&Sight::ALL, &all, now().as_second()).await.unwrap().rows
    }

    /// Every row of the view, but for when it was judged.
    async fn dump(&self) -> (Vec<String>, Vec<String>) {
        let threads =
            self.database.rows("test", Sql::new("SELECT * FROM record_thread ORDER BY thread")).await.unwrap();
        let threads = threads.iter().map(|row| {
            let (facts, owner) = (text(row, "facts").unwrap(), maybe_text(row, "owner").unwrap());
            format!("{facts} {owner:?} {} {}", text(row, "stage").unwrap(), number(row, "is_over").unwrap())
        });
        let events = self.database.rows("test", Sql::new("SELECT * FROM record_event ORDER BY seq")).await.unwrap();
        let events = events.iter().map(|row| {
            let moment = maybe_text(row, "moment").unwrap();
            format!(
                "{} {} {} {moment:?}",
                number(row, "seq").unwrap(),
                text(row, "thread").unwrap(),
                text(row, "words").unwrap()
            )
        });
        (threads.collect(), events.collect())
    }

    /// The view that somebody would make who begins now.
    async fn afresh(&self, at: Timestamp) -> (Vec<String>, Vec<String>) {
        for table in
            ["DELETE FROM record_thread", "DELETE FROM record_event", "DELETE FROM serve_note WHERE name <> 'estate'"]
        {
            self.database.run("test", Sql::new(table)).await.unwrap();
        }
        assert!(self.follow(at).await);
        self.dump().await
    }
}

fn person(role: Role, name: &str, units: &[&str]) -> Sight {
    Person { name: name.to_owned(), role, units: units.iter().map(|&unit| unit.to_owned()).collect() }.sight()
}

#[tokio::test]
async fn the_demonstration_has_threads_in_every_state_and_all_of_them_can_be_read() {
    let desk = desk().await;
    let all = desk.threads(&Sight::ALL, Ask::default()).await;
    let broken: Vec<_> = all.iter().filter(|one| one.stage == "unreadable").map(|one| &one.state).collect();
    assert!(broken.is_empty(), "{broken:?}");
    let rests =
        |kind| -> BTreeSet<&str> { all.iter().filter(|one| one.kind == kind).map(|one| one.rest.as_str()).collect() };
    let rotations = ["aborted", "in-grace", "interrupted", "retired", "undecided", "undone", "watching"];
    assert!(rests(Kind::Rotation).is_superset(&BTreeSet::from(rotations)), "{:?}", rests(Kind::Rotation));
    let cases = ["deactivated", "exempt", "held", "notified", "reminded", "seen"];
    assert_eq!(rests(Kind::Case), BTreeSet::from(cases));
    assert_eq!(rests(Kind::Containment), BTreeSet::from(["contained", "held"]));
    assert_eq!(rests(Kind::Quarantine), BTreeSet::from(["rest"]));
    assert_eq!(rests(Kind::Exposure), BTreeSet::from(["exposed"]));
    let week = Ask { due_before: Some(now().as_second() + 7 * 86_400), ..Ask::of(Kind::Case) };
    let week = desk.threads(&Sight::ALL, week).await;
    let days: BTreeSet<i64> = week.iter().map(|one| one.next.as_ref().unwrap().at.div_euclid(86_400)).collect();
    assert!(days.len() > 4, "deadlines lie on several days: {days:?}");
    assert!(week.windows(2).all(|pair| pair[0].next.as_ref().unwrap().at <= pair[1].next.as_ref().unwrap().at));
    let watched = all.iter().find(|one| one.rest == "watching").unwrap();
    assert_eq!(watched.places.len(), 3, "each place of the plan: {:?}", watched.places);
    assert!(watched.places.iter().all(|(_, is_there)| *is_there));
}

#[tokio::test]
async fn steps_say_how_far_each_thread_is() {
    let desk = desk().await;
    let all = desk.threads(&Sight::ALL, Ask::of(Kind::Rotation)).await;
    let words = |rest: &str| -> Vec<String> {
        let one = all.iter().find(|one| one.rest == rest).unwrap();
        one.steps
            .iter()
            .map(|step| {
                let words =
                    step.words.split(" to ").next().unwrap().split(" in /").next().unwrap().split(" in ").next();
                format!("{}: {}", words.unwrap(), step.progress.as_str())
            })
            .collect()
    };
    assert_eq!(
        words("in-grace"),
        [
            "planned: done",
            "created: done",
            "proven: done",
            "delivered: done",
            "promoted: done",
            "observed quiet: done",
            "old key deactivated: done",
            "old key deleted: now"
        ]
    );
    assert_eq!(
        words("watching")[6..],
        ["promoted: done", "observed quiet: now", "old key deactivated: later", "old key deleted: later"]
    );
    assert_eq!(words("aborted"), ["planned: done", "given up: failed"]);
    let undone = words("undone");
    assert_eq!(undone.last().unwrap(), "new key deleted: now");
    assert!(
        undone.contains(&"restored: done".to_owned()) && !undone.iter().any(|word| word.starts_with("old key deleted")),
        "{undone:?}"
    );
    let decided: Vec<_> = all.iter().filter(|one| one.rest == "undecided").collect();
    assert!(decided.iter().all(|one| one.needs_person && !one.commands.is_empty()));
    assert!(decided.iter().all(|one| one.steps.iter().any(|step| step.progress == Progress::Person)), "{decided:?}");
    let failed = all.iter().find(|one| one.rest == "interrupted" && one.needs_person).unwrap();
    let place = failed.steps.iter().find(|step| step.progress == Progress::Failed).unwrap();
    assert!(place.words.starts_with("delivered to"), "{place:?}");
}

#[tokio::test]
async fn following_twice_is_following_once_and_bit_by_bit_is_all_at_once() {
    let desk = desk().await;
    assert!(!desk.follow(now()).await);
    let (threads, events) = desk.dump().await;
    assert_eq!(events.len(), desk.journal.entries(Threads::All).await.unwrap().len(), "every record is told once");
    // One goes on: the rotation under way is delivered to its next place.
    let all = desk.threads(&Sight::ALL, Ask::of(Kind::Rotation)).await;
    let under_way =
        all.iter().find(|one| one.stage == "delivering" && one.rest == "interrupted" && !one.needs_person).unwrap();
    let thread: ThreadId = under_way.id.parse().unwrap();
    for event in [Event::Intended { intent: Intent::Deliver(1) }, Event::Delivered { place: 1, mark: None }] {
        let record = Record { at: now(), event };
        desk.journal.append_json(thread.clone(), serde_json::to_string(&record).unwrap(), None).await.unwrap();
    }
    assert!(desk.follow(now()).await);
    let (after, told) = desk.dump().await;
    assert_eq!(told.len(), events.len() + 2);
    assert_eq!(told[..events.len()], events, "what was told stays");
    let other: Vec<_> = threads.iter().filter(|one| !after.contains(one)).collect();
    assert_eq!(other.len(), 1, "one thread has changed");
    let steps = desk.records.thread(&Sight::ALL, &under_way.id).await.unwrap().unwrap().places;
    assert_eq!(steps.iter().filter(|(_, is_there)| *is_there).count(), 2);
    assert_eq!(desk.afresh(now()).await, (after, told));
}

#[tokio::test]
async fn a_journal_that_was_replaced_is_read_anew() {
    let mut desk = desk().await;
    // As long, with other hashes: the same team, a second later.
    let later = now() + SignedDuration::from_secs(1);
    let twin = journal(&desk.folder, "twin", SIZE, later).await;
    let ours = desk.journal.entries(Threads::All).await.unwrap();
    let others = twin.entries(Threads::All).await.unwrap();
    assert_eq!(ours.len(), others.len());
    let before = desk.dump().await;
    desk.journal = twin;
    assert!(desk.follow(now()).await);
    let view = desk.dump().await;
    assert_ne!(view, before);
    assert_eq!(view, desk.afresh(now()).await);
    // Shorter, and then none at all.
    desk.journal = journal(&desk.folder, "short", Size { accounts: 1, users: 40 }, now()).await;
    assert!(desk.follow(now()).await);
    let short = desk.dump().await;
    assert!(short.1.len() < view.1.len());
    assert_eq!(short.1.len(), desk.journal.entries(Threads::All).await.unwrap().len());
    desk.journal = journal(&desk.folder, "empty", Size { accounts: 0, users: 0 }, now()).await;
    assert!(desk.follow(now()).await);
    assert_eq!(desk.dump().await.1, Vec::<String>::new());
    let left = desk.threads(&Sight::ALL, Ask::default()).await;
    assert!(left.iter().all(|one| one.kind == Kind::Exposure) && left.len() == 2, "events stand elsewhere: {left:?}");
    assert!(!desk.follow(now()).await);
}

#[tokio::test]
async fn what_becomes_due_changes_without_a_record() {
    let desk = desk().await;
    let watched =
        desk.threads(&Sight::ALL, Ask::of(Kind::Rotation)).await.into_iter().find(|one| one.rest == "watching");
    let watched = watched.unwrap();
    let due = Timestamp::from_second(watched.next.as_ref().unwrap().at).unwrap();
    desk.follow(due - SignedDuration::from_secs(1)).await;
    assert_eq!(desk.records.thread(&Sight::ALL, &watched.id).await.unwrap().unwrap().rest, "watching");
    assert!(desk.follow(due).await);
    let after = desk.records.thread(&Sight::ALL, &watched.id).await.unwrap().unwrap();
    assert_eq!(after.state, "delivered: the old key was watched for long enough");
    assert!(!desk.follow(due).await, "once is enough");
}

#[tokio::test]
async fn nobody_sees_a_neighbours_thread_or_event() {
    let desk = desk().await;
    let keys: BTreeMap<String, Row> = desk.keys().await.into_iter().map(|row| (row.identity.clone(), row)).collect();
    let all = desk.threads(&Sight::ALL, Ask::default()).await;
    let events = desk.journal.entries(Threads::All).await.unwrap().len();
    type Holds = fn(&Row) -> bool;
    let shop = "shop@example.com";
    let cases: [(Sight, Holds); 5] = [
        (person(Role::Owner, shop, &[]), |row| row.owner.as_deref() == Some("shop@example.com")),
        (person(Role::Viewer, "v", &["Root/Production"]), |row| row.units.starts_with("Root/Production/")),
        (person(Role::Viewer, "v", &["Root/Prod"]), |_| false),
        (person(Role::Owner, "nobody@example.com", &[]), |_| false),
        (person(Role::Owner, shop, &["Root/Production"]), |row| {
            row.units.starts_with("Root/Production/") && row.owner.as_deref() == Some("shop@example.com")
        }),
    ];
    for (position, (sight, holds)) in cases.into_iter().enumerate() {
        let is_theirs = |one: &Thread| {
            let its = [Some(&one.key_id), one.new_key_id.as_ref()];
            its.into_iter().flatten().filter_map(|key| keys.get(key)).any(holds)
        };
        let wanted: BTreeSet<&str> = all.iter().filter(|one| is_theirs(one)).map(|one| one.id.as_str()).collect();
        let seen = desk.threads(&sight, Ask::default()).await;
        assert_eq!(seen.iter().map(|one| one.id.as_str()).collect::<BTreeSet<_>>(), wanted, "{position}");
        assert!(position > 1 || !wanted.is_empty() && wanted.len() < all.len(), "{position} tells nothing");
        let mut told = 0;
        for one in &all {
            let is_seen = wanted.contains(one.id.as_str());
            assert_eq!(desk.records.thread(&sight, &one.id).await.unwrap().is_some(), is_seen, "{position} {}", one.id);
            let its = desk.records.events(&sight, &one.id).await.unwrap();
            assert_eq!(!its.is_empty(), is_seen && one.kind != Kind::Exposure, "{position} {}", one.id);
            told += its.len();
            let life = desk.records.life(&sight, &one.key_id).await.unwrap();
            assert!(life.iter().all(|told| wanted.contains(told.thread.as_str())), "{position} {}", one.id);
        }
        assert!(told < events);
        let mut counted = 0;
        for kind in Kind::ALL {
            counted += desk.records.stages(&sight, kind).await.unwrap().iter().map(|one| one.count).sum::<u64>();
        }
        assert_eq!(counted, wanted.len() as u64, "{position}");
    }
}

#[tokio::test]
async fn what_happened_to_a_key_that_is_gone_is_seen_by_its_last_owner_alone() {
    let desk = desk().await;
    let case = desk.threads(&Sight::ALL, Ask { is_over: Some(true), ..Ask::of(Kind::Case) }).await;
    let case = case.into_iter().find(|one| one.owner.is_some()).unwrap();
    let units = desk.keys().await.into_iter().find(|row| row.identity == case.key_id).unwrap().units;
    let units = units.trim_end_matches('/').to_owned();
    let gone = Sql::new("DELETE FROM estate_key WHERE identity = ").value(case.key_id.as_str());
    desk.database.run("test", gone).await.unwrap();
    let owner = case.owner.as_deref().unwrap();
    for (sight, is_seen) in [
        (Sight::ALL, true),
        (person(Role::Owner, owner, &[]), true),
        (person(Role::Owner, owner, &[&units]), true),
        (person(Role::Owner, owner, &["Root/Elsewhere"]), false),
        (person(Role::Owner, "other@example.com", &[]), false),
        (person(Role::Viewer, owner, &[&units]), true),
        (person(Role::Viewer, owner, &["Root/Elsewhere"]), false),
    ] {
        assert_eq!(desk.records.thread(&sight, &case.id).await.unwrap().is_some(), is_seen, "{sight:?}");
    }
}

#[tokio::test]
async fn a_thread_that_cannot_be_read_is_told_to_those_who_see_everything() {
    let desk = desk().await;
    let id: ThreadId = "r-00000000000000ff".parse().unwrap();
    desk.journal
        .append_json(id, r#"{"at":"2026-11-24T12:00:00Z","event":{"event":"new-in-2027"}}"#.into(), None)
        .await
        .unwrap();
    assert!(desk.follow(now()).await);
    let broken = desk.records.thread(&Sight::ALL, "r-00000000000000ff").await.unwrap().unwrap();
    assert!(broken.needs_person && broken.state.starts_with("its records cannot be read"), "{broken:?}");
    let viewer = person(Role::Viewer, "v", &["Root"]);
    assert_eq!(desk.records.thread(&viewer, "r-00000000000000ff").await.unwrap(), None);
}
