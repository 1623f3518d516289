//! What other programs of the machine see of a running akia: its command line and environment, those of its children,
//! the files that come and go, and what is left of it when it is aborted.

use super::tracer::{self, When};
use crate::hand::{keys_of, user_with_old_key};
use crate::secrets::assert_clean;
use crate::support::{Backend, Home};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::sync::Mutex;

/// Stands in the environment of each run, to see that the environment is really read.
const MARK: &str = "anEnvironmentThatIsRead";

/// Every command line and environment of akia and its children is read at each of their calls that count, and each file
/// right before it vanishes or gets another name. A `credential_process` is among the children.
#[test]
fn nothing_of_a_running_process_holds_a_secret() {
    let cloud = Backend::Sandbox.open();
    let old = user_with_old_key(&cloud, "ann", 100);
    let eve = cloud.user("eve");
    cloud.user_without_rights("bob", "/");
    let admin = format!(
        r#"{{"Version": 1, "AccessKeyId": "{}", "SecretAccessKey": "{}"}}"#,
        cloud.admin.id, cloud.admin.secret
    );
    let home = Home::new(&cloud)
        .profile("ann", &old)
        .file(".aws/config", "[profile admin]\ncredential_process = /bin/sh admin.sh --for akia\n")
        .file("admin.sh", "cat admin.json\n")
        .file("admin.json", admin)
        .file("eve.csv", format!("Access key ID,Secret access key\n{},{}\n", eve.key.id, eve.key.secret))
        .with("RUST_LOG", "trace")
        .with("AKIA_LOG", "trace")
        .with("LOG_SENSITIVE_BODIES", "true")
        .with("AKIA_TEST_MARK", MARK);
    let meant = [".aws", "admin.json", "eve.csv"].map(|name| home.path(name));
    let (lines, environments, files) = (Mutex::default(), Mutex::default(), Mutex::default());
    let keep = |set: &Mutex<BTreeSet<Vec<u8>>>, bytes: Vec<u8>| set.lock().unwrap().insert(bytes);
    let look = |pid: Pid, point: Option<&tracer::Point>| {
        let about = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        keep(&lines, about("cmdline"));
        keep(&environments, about("environ"));
        if point.is_some_and(|point| point.call.starts_with("unlink") || point.call.starts_with("rename")) {
            for (_, bytes) in
                home.everything().into_iter().filter(|(path, _)| !meant.iter().any(|m| path.starts_with(m)))
            {
                keep(&files, bytes);
            }
        }
    };
    let mut made = Vec::new();
    for arguments in [
        &["rotate", "--profile", "ann", "--yes", "-vv"][..],
        &["key", "create", "--profile", "admin", "--user", "bob", "--into", "bob", "--yes", "-vv"],
        &["setup", "eve", "--from-csv", "eve.csv", "--yes", "-vv", "--region", "eu-west-1"],
        &["undo", "--profile", "ann", "--yes", "-vv"],
    ] {
        let traced = tracer::look(&home.command(arguments), &look);
        assert_eq!(traced.code, Some(0), "{arguments:?}: {}\n{}", traced.stdout, traced.stderr);
        if arguments[0] == "rotate" {
            made.push(keys_of(&home, "ann"));
        }
        for said in [traced.stdout, traced.stderr] {
            keep(&files, said.into_bytes());
        }
    }
    let (lines, environments, files) =
        (lines.into_inner().unwrap(), environments.into_inner().unwrap(), files.into_inner().unwrap());
    let has = |set: &BTreeSet<Vec<u8>>, text: &str| {
        set.iter().filter(|bytes| String::from_utf8_lossy(bytes).replace('\0', " ").contains(text)).count()
    };
    // It was looked at the right things.
    for (what, set, text) in [
        ("akia's own command line", &lines, "akia rotate --profile ann"),
        ("the credential_process", &lines, "/bin/sh admin.sh --for akia"),
        ("a child of the credential_process", &lines, "cat admin.json"),
        ("an environment", &environments, MARK),
    ] {
        assert!(has(set, text) > 0, "{what} was never seen: {:?}", lines.iter().map(|l| String::from_utf8_lossy(l)));
    }
    assert!(files.len() > 10, "only {} files were seen", files.len());
    made.push(keys_of(&home, "bob"));
    let secrets = [vec![old, eve.key.clone(), cloud.admin.clone()], made].concat();
    for (what, set) in [("a command line", lines), ("an environment", environments), ("a file or an output", files)] {
        for bytes in set {
            assert_clean(what, &bytes, &secrets);
        }
    }
}

/// An aborted process leaves an image of its memory, secrets and all, where the system allows that. akia lowers its
/// limit to nothing, and forbids the image altogether: with the first made to fail, the second holds alone.
#[test]
fn an_aborted_run_leaves_no_core() {
    let cloud = Backend::Sandbox.open();
    let [ann, bob] = ["ann", "bob"].map(|name| user_with_old_key(&cloud, name, 100));
    let home = Home::new(&cloud).profile("ann", &ann).profile("bob", &bob);
    // A shell that allows cores, and becomes the program.
    let allowed = |program: &str, arguments: &[&str]| {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", r#"ulimit -c unlimited && exec "$0" "$@""#, program]).args(arguments);
        shell.envs(home.command(&[]).get_envs().map(|(name, value)| (name.to_owned(), value.unwrap().to_owned())));
        shell.current_dir(home.path(""));
        shell
    };
    let akia = env!("CARGO_BIN_EXE_akia");
    // Aborted with two secrets in its memory: at the rename of the file that gets the new key.
    let limits = Mutex::new(String::new());
    let abort = |pid: Pid, point: Option<&tracer::Point>| {
        if point.is_some_and(|point| point.call == "rename" && point.target.contains("/.aws/")) {
            *limits.lock().unwrap() = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
            kill(pid, Signal::SIGABRT).unwrap();
        }
    };
    let core_limit = || {
        let limits = limits.lock().unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        line.split_whitespace().skip(4).take(2).collect::<Vec<_>>().join(" ")
    };
    let rotate = |profile: &'static str| allowed(akia, &["rotate", "--profile", profile, "--yes"]);
    let both = tracer::look(&rotate("ann"), &abort);
    assert_eq!((both.code, both.left_a_core), (None, false), "{}", both.stderr);
    assert_eq!(core_limit(), "0 0");
    // The first of these calls is the shell's, the second akia's.
    let ban = tracer::fail_and_look(&rotate("bob"), When::NthOf(tracer::LIMIT_CORES, 2), Errno::EPERM, &abort);
    assert_eq!((ban.code, ban.left_a_core), (None, false), "the ban alone: {}", ban.stderr);
    assert_eq!(core_limit(), "unlimited unlimited", "the call failed, and akia went on");
    // Whether this machine makes cores at all.
    let other = tracer::look(&allowed("sh", &["-c", "kill -ABRT $$"]), &|_, _| {});
    assert_eq!(other.code, None, "{}", other.stderr);
    if !other.left_a_core {
        println!("cores: NOT CHECKED, this machine makes none of any program; only the limit was read");
    }
}
