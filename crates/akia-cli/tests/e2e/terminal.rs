//! At a terminal: questions, answers, Ctrl-C at a question, and what stays on the screen.

use std::process::Command;

use crate::hand::{assert_as_before, assert_rotated};
use crate::support::{Backend, Home, python};

#[test]
fn only_a_yes_goes_ahead_and_the_screen_says_how_it_ended() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key).with("NO_COLOR", "1");
    for answer in ["n\n", "\n", "maybe\n", "\u{4}"] {
        let ran = home.akia_on_terminal(&["rotate"], &[("Rotate this key? [y/N] ", answer)]).exited(1);
        assert!(
            ran.stdout.contains("error: you said no") && ran.stdout.contains("now: nothing was changed"),
            "{ran:?}"
        );
    }
    assert_as_before(&cloud, &home, "ann", "default", &ann.key);
    let ran = home.akia_on_terminal(&["rotate"], &[("Rotate this key? [y/N] ", "y\n"), ("ann (default): ", "")]).done();
    assert_rotated(&cloud, &home, "ann", "default", &ann.key);
    // The whole sentence, not as much of it as fits on a line with a spinner.
    let screen = ran.stdout.replace("\r\n", "\n");
    assert!(screen.contains("ann (default): done: old key inactive, deletable from "), "{screen}");
    assert!(screen.contains("take it back: akia undo"), "{screen}");

    let ran = home.akia_on_terminal(&["undo"], &[("Take this rotation back? [y/N] ", "n\n")]).exited(1);
    assert!(ran.stdout.contains("you said no"), "{ran:?}");
    assert_rotated(&cloud, &home, "ann", "default", &ann.key);
    home.akia_on_terminal(&["undo"], &[("Take this rotation back? [y/N] ", "Y\n")]).done();
    assert_as_before(&cloud, &home, "ann", "default", &ann.key);
}

#[test]
fn ctrl_c_at_a_question_changes_nothing() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    let ran = home.akia_on_terminal(&["rotate"], &[("[y/N] ", "\u{3}")]);
    // Ended by the signal itself, so that a shell script around it stops, too.
    assert_eq!(ran.code, -2, "{ran:?}");
    assert_as_before(&cloud, &home, "ann", "default", &ann.key);
    assert!(home.akia(&["resume"]).done().stderr.contains("no rotation is unfinished"));
}

#[test]
fn ctrl_c_in_a_run_is_answered_on_the_screen_and_two_runs_are_resumed_by_one_line() {
    let cloud = Backend::Sandbox.open();
    let (ann, bob) = (cloud.user("ann"), cloud.user("bob"));
    let home = Home::new(&cloud).profile("ann", &ann.key).profile("bob", &bob.key).with("NO_COLOR", "1");
    let steps = [("[y/N] ", "y\n"), ("waiting until AWS knows", "\u{3}"), ("stopping at the next safe point", "")];
    let ran = home.akia_on_terminal(&["rotate", "-a"], &steps).exited(5);
    assert!(ran.stdout.contains("next: akia resume (finishes all of them)"), "{}", ran.stdout);
    let ran = home.akia_on_terminal(&["resume"], &[("ann (ann): done", "")]).done();
    assert!(ran.stdout.contains("bob (bob): done"), "{}", ran.stdout);
    assert_rotated(&cloud, &home, "ann", "ann", &ann.key);
    assert_rotated(&cloud, &home, "bob", "bob", &bob.key);
}

#[test]
fn an_mfa_code_is_asked_for_once() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let serial = cloud.mfa_device("ann");
    let home = Home::new(&cloud)
        .profile("one", &ann.key)
        .profile("two", &ann.key)
        .file(".aws/config", format!("[profile one]\nmfa_serial = {serial}\n[profile two]\nmfa_serial = {serial}\n"));
    let question = format!("MFA code of {serial}: ");
    let code = format!("{}\n", cloud.mfa_code(&serial));
    let ran =
        home.akia_on_terminal(&["rotate", "-a"], &[(&question, "000000\n"), (&question, &code), ("[y/N] ", "y\n")]);
    let ran = ran.done();
    assert_eq!(ran.stdout.matches(&question).count(), 2, "{}", ran.stdout);
    assert_rotated(&cloud, &home, "ann", "two", &ann.key);
}

#[test]
fn a_key_that_came_into_grace_while_the_question_stood_is_not_deleted() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    let run = home.akia(&["rotate", "--yes", "--output", "json"]).done().json();
    let id = run["rotations"][0]["rotation"].as_str().unwrap();
    // Somebody takes the rotation back, elsewhere, before the question is answered.
    let script = "import os, pty, subprocess, sys\n\
        akia, rotation = sys.argv[1:]\n\
        pid, terminal = pty.fork()\n\
        if not pid: os.execv(akia, [akia, 'retire', rotation, '--now'])\n\
        screen = b''\n\
        while b'[y/N] ' not in screen: screen += os.read(terminal, 4096)\n\
        subprocess.run([akia, 'undo', rotation, '--yes'], check=True, capture_output=True)\n\
        os.write(terminal, b'y\\n')\n\
        try:\n\
        \x20   while True: screen += os.read(terminal, 4096)\n\
        except OSError: pass\n\
        print(screen.decode())\n\
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n";
    let akia = home.command(&[]);
    let mut python = Command::new(python());
    python.args(["-c", script]).arg(akia.get_program()).arg(id).env_clear();
    python.envs(akia.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = python.output().unwrap();
    let screen = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{screen}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(screen.contains("was changed by another akia meanwhile"), "{screen}");
    assert_as_before(&cloud, &home, "ann", "default", &ann.key);
    assert_eq!(cloud.keys("ann").len(), 2, "the new key is inactive, and kept for its grace");
}
