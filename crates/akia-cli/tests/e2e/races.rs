//! Two processes rotate the key of one user at once: on two machines (two homes, two state folders, one key), and on one.
//!
//! What must hold on two machines: whatever happens, a home has a key that works, or its owner was told by an exit code
//! other than 0; one home works at least; and every key that AWS has is in a home, or is the old one, or was named to
//! somebody.

use std::collections::BTreeMap;
use std::process::Child;
use std::sync::Mutex;
use std::time::Duration;

use akia_sandbox::{AccountSpec, Propagation, Sandbox};
use serde_json::json;

use crate::hand::{keys_of, side_by_side, user_with_old_key};
use crate::support::{Backend, Cloud, Home, Key};

/// Races that go side by side. They sleep most of the time.
const SIDE_BY_SIDE: usize = 16;
/// The AWS CLI judges every so manyth race; the others are judged by the emulator's own list.
const JUDGED: usize = 20;
/// What a person tries at most.
const TRIES: usize = 4;

#[test]
fn two_machines_rotate_one_user_at_once() {
    race_often(48, sandbox_cloud);
}

#[test]
fn two_machines_rotate_one_user_at_once_on_moto() {
    race_often(24, |_| Backend::Moto.open());
}

#[test]
#[ignore = "minutes: cargo xtask prove --deep"]
fn two_machines_rotate_one_user_500_times() {
    race_often(500, sandbox_cloud);
}

#[test]
#[ignore = "minutes: cargo xtask prove --deep"]
fn two_machines_rotate_one_user_500_times_on_moto() {
    race_often(500, |_| Backend::Moto.open());
}

/// One of them has the lock; the other says who has it and changes nothing.
#[test]
fn two_processes_with_one_state_folder() {
    side_by_side(SIDE_BY_SIDE, 12, |turn| {
        let cloud = Backend::Sandbox.open();
        let old = user_with_old_key(&cloud, "ann", 100);
        let home = Home::new(&cloud).profile("default", &old);
        let start = || home.command(&["rotate", "--yes"]).spawn().unwrap();
        let children = [start(), {
            pause(turn);
            start()
        }];
        let ended = children.map(|child| ended(child, "rotate"));
        let refused: Vec<&Ended> = ended.iter().filter(|one| one.code != 0).collect();
        if refused.len() != 1 || !refused[0].said.contains("is locked by process") {
            return Err(format!("{ended:?}"));
        }
        let keys = listed(&cloud);
        let held = keys_of(&home, "default");
        if keys.len() != 2 || keys.get(&held.id) != Some(&true) || keys.get(&old.id) != Some(&false) {
            return Err(format!("{keys:?}, {} is in the file; {ended:?}", held.id));
        }
        Ok(())
    });
}

/// The quota may count late (two creations pass), and changes may take their time to spread.
fn sandbox_cloud(turn: usize) -> Cloud {
    let mut builder = Sandbox::builder().account(AccountSpec::new("111122223333"));
    if turn % 2 == 1 {
        builder = builder.racy_quota(Duration::from_secs(3));
    }
    if turn % 4 >= 2 {
        builder = builder.propagation(Propagation::realistic());
    }
    Cloud::of(builder.build())
}

#[derive(Debug)]
struct Ended {
    code: i64,
    said: String,
}

#[expect(clippy::print_stdout, reason = "how the races ended is a result of the run")]
fn race_often(races: usize, cloud: impl Fn(usize) -> Cloud + Sync) {
    let ends: Mutex<BTreeMap<String, usize>> = Mutex::default();
    side_by_side(SIDE_BY_SIDE, races, |turn| {
        let how = race(&cloud(turn), turn)?;
        *ends.lock().unwrap().entry(how).or_default() += 1;
        Ok(())
    });
    for (how, count) in ends.into_inner().unwrap() {
        println!("{count:>4} of {races}: {how}");
    }
}

fn race(cloud: &Cloud, turn: usize) -> Result<String, String> {
    let old = match cloud.backend {
        Backend::Sandbox => user_with_old_key(cloud, "ann", 100),
        Backend::Moto | Backend::MiniStack => cloud.user("ann").key,
    };
    let homes = [(); 2].map(|()| Home::new(cloud).profile("default", &old));
    let start = |home: &Home| home.command(&["rotate", "--yes"]).spawn().unwrap();
    let children = [start(&homes[0]), {
        pause(turn);
        start(&homes[1])
    }];
    let mut ended = children.map(|child| ended(child, "rotate"));
    let codes = [ended[0].code, ended[1].code];
    for (home, ended) in homes.iter().zip(&mut ended) {
        take_up(home, ended);
    }
    let keys = listed(cloud);
    let held = [0, 1].map(|index| keys_in(&homes[index]));
    let told = || {
        format!(
            "codes {codes:?}, AWS has {keys:?}, held {:?}, old {}\n{ended:?}",
            held.each_ref().map(|key| &key.id),
            old.id
        )
    };
    for ended in &ended {
        if ended.said.contains("panicked") || !matches!(ended.code, 0 | 1 | 5 | 6) {
            return Err(told());
        }
    }
    let works = held.each_ref().map(|key| keys.get(&key.id) == Some(&true));
    if !works.contains(&true) {
        return Err(format!("both are locked out: {}", told()));
    }
    for index in [0, 1] {
        if !works[index] && codes[index] == 0 && ended[index].code == 0 {
            return Err(format!("home {index} is locked out, and nobody has told it: {}", told()));
        }
    }
    for id in keys.keys() {
        let is_known = *id == old.id || held.iter().any(|key| key.id == *id);
        if !is_known && !ended.iter().any(|ended| ended.said.contains(id.as_str())) {
            return Err(format!("{id} is an orphan that nobody was told of: {}", told()));
        }
    }
    if turn.is_multiple_of(JUDGED) {
        for index in [0, 1] {
            let judged = homes[index].aws(&["sts", "get-caller-identity"]).code == 0;
            // moto lets inactive keys in.
            if judged != works[index] && cloud.backend == Backend::Sandbox {
                return Err(format!("the AWS CLI gets in: {judged}: {}", told()));
            }
        }
    }
    let state = [0, 1].map(|index| match (works[index], held[index].id == old.id) {
        (true, true) => "has the old key",
        (true, false) => "has a new key",
        (false, _) => "has a shut key and was told",
    });
    let mut both: Vec<String> =
        [0, 1].map(|index| format!("exit {}, {}, {}", codes[index], ended[index].code, state[index])).to_vec();
    both.sort();
    let strays = keys.keys().filter(|id| **id != old.id && held.iter().all(|key| key.id != **id)).count();
    let strays = if strays == 0 { String::new() } else { format!("; {strays} key left over and told") };
    Ok(format!("{}{strays}", both.join(" | ")))
}

/// What its owner does then: resume, and what it advises.
fn take_up(home: &Home, ended: &mut Ended) {
    let mut next = vec!["resume".to_owned(), "--yes".to_owned()];
    for _ in 0..TRIES {
        if ended.code == 0 || ended.code == 1 {
            return;
        }
        let ran = home.akia(&next.iter().map(String::as_str).collect::<Vec<_>>());
        ended.code = ran.code;
        ended.said += &format!("\n{}\n{}", ran.stdout, ran.stderr);
        if ran.code == 6
            && let Some(advice) = ran.stderr.lines().find_map(|line| line.trim().strip_prefix("next: akia resume "))
        {
            next = vec!["resume".to_owned(), "--yes".to_owned()];
            next.extend(advice.split(" (").next().unwrap().split(' ').map(str::to_owned));
        }
    }
}

/// Which of the two is first differs from race to race.
fn pause(turn: usize) {
    let mut random = fastrand::Rng::with_seed(turn as u64);
    std::thread::sleep(Duration::from_millis(random.u64(0..400)));
}

fn ended(child: Child, what: &str) -> Ended {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = format!("{what}:\n{}\n{}", text(&output.stdout), text(&output.stderr));
    Ended { code: output.status.code().map_or(-1, i64::from), said }
}

/// The user's keys by the emulator's own list: whether each is active.
fn listed(cloud: &Cloud) -> BTreeMap<String, bool> {
    if cloud.backend == Backend::Sandbox {
        let keys = cloud.sandbox().keys().into_iter().filter(|key| key.user.as_deref() == Some("ann"));
        return keys.map(|key| (key.id, key.active)).collect();
    }
    let answer = cloud.call("iam", "list_access_keys", json!({ "UserName": "ann" }));
    let keys = answer["AccessKeyMetadata"].as_array().unwrap().iter();
    keys.map(|key| (key["AccessKeyId"].as_str().unwrap().to_owned(), key["Status"] == "Active")).collect()
}

/// The key in the credentials file of a home that has one profile.
fn keys_in(home: &Home) -> Key {
    let text = home.read(".aws/credentials");
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim_start_matches([' ', '=']).to_owned()
    };
    Key { id: value("aws_access_key_id"), secret: value("aws_secret_access_key"), token: None }
}
