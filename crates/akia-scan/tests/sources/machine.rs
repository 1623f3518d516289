//! A machine in a folder, and the processes of the real one.

use std::fs;
use std::path::Path;
use std::time::Instant;

use akia_core::leak::{Part, ScanReport, Why};
use akia_scan::{Limits, machine};

use crate::support::{id_places, key, paths, python, scan_with, told};

fn report_with(root: &Path, homes: &[&str], limits: Limits) -> ScanReport {
    let scan = scan_with(limits);
    let machine = machine::Machine { root: root.to_owned(), homes: homes.iter().map(Into::into).collect() };
    machine::scan(&scan, &machine);
    scan.ledger.into_report(Vec::new())
}

fn report(root: &Path) -> ScanReport {
    report_with(root, &[], Limits::default())
}

#[test]
fn keys_where_programs_keep_them() {
    let root = tempfile::tempdir().unwrap();
    let files = [
        "home/alice/.aws/credentials",
        "home/alice/.bash_history",
        "home/alice/.zsh_history",
        "home/alice/.local/share/fish/fish_history",
        "home/alice/.config/rclone/rclone.conf",
        "home/alice/.jupyter/nb/config.py",
        "home/alice/.docker/config.json",
        "home/alice/terraform.tfstate",
        "root/.env",
        "srv/app/.netrc",
        "opt/own/.s3cfg",
        "etc/environment",
        "etc/default/app",
        "etc/systemd/system/app.service.d/override.conf",
        "etc/cron.d/backup",
        "var/spool/cron/crontabs/root",
        "var/lib/cloud/instances/i-1/user-data.txt",
    ];
    for (number, file) in files.iter().enumerate() {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, key(500 + number as u64).text()).unwrap();
    }
    fs::write(
        root.path().join("etc/passwd"),
        "app:x:1:1::/srv/app:/bin/sh\nnone:x:2:2::/nonexistent:/bin/sh\nd:x:3:3::/:/x\n",
    )
    .unwrap();
    let report = report_with(root.path(), &["/opt/own"], Limits::default());
    for (number, file) in files.iter().enumerate() {
        assert_eq!(paths(&report, &key(500 + number as u64)), [*file]);
    }
    for leak in &report.leaks {
        for found in &leak.places {
            assert_eq!(machine::is_aws_file(&found.place), found.place.path == files[0]);
        }
    }
    // There are no processes in this folder, and that is all that is told.
    told(&report, Why::Unsupported, "/proc");
    assert_eq!(report.coverage.skipped.len(), 1);
}

#[test]
fn a_history_that_is_a_database() {
    let root = tempfile::tempdir().unwrap();
    let key = key(530);
    let folder = root.path().join("home/bob/.ipython/profile_default");
    fs::create_dir_all(&folder).unwrap();
    python(
        &folder,
        &format!(
            "import sqlite3\nc = sqlite3.connect('history.sqlite'); c.execute('create table history (session, line, source)')
c.execute('insert into history values (1, 1, ?)', (\"\"\"{}\"\"\",)); c.commit()",
            key.text()
        ),
    );
    assert_eq!(paths(&report(root.path()), &key), ["home/bob/.ipython/profile_default/history.sqlite!history"]);
}

#[cfg(unix)]
#[test]
fn dotfiles_that_are_links_are_followed() {
    let root = tempfile::tempdir().unwrap();
    let key = key(531);
    fs::create_dir_all(root.path().join("home/carol/dotfiles")).unwrap();
    fs::write(root.path().join("home/carol/dotfiles/zshrc"), key.text()).unwrap();
    std::os::unix::fs::symlink("dotfiles/zshrc", root.path().join("home/carol/.zshrc")).unwrap();
    assert_eq!(paths(&report(root.path()), &key), ["home/carol/.zshrc"]);
}

#[cfg(target_os = "linux")]
#[test]
fn environments_and_arguments_of_processes() {
    let (variable, argument) = (key(532), key(533));
    let mut child = std::process::Command::new("sleep")
        .args(["60"])
        .env("AWS_ACCESS_KEY_ID", &variable.id)
        .env("AWS_SECRET_ACCESS_KEY", &variable.secret)
        .spawn()
        .unwrap();
    let mut other = std::process::Command::new("sh")
        .args(["-c", "read line", "x", &format!("--id={}", argument.id), &format!("--secret={}", argument.secret)])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // A program's start is over when it shows what it was started with.
    for (pid, file) in [(child.id(), "environ"), (other.id(), "cmdline")] {
        let begun = Instant::now();
        while fs::read(format!("/proc/{pid}/{file}")).unwrap().is_empty() {
            assert!(begun.elapsed().as_secs() < 30, "{file} stays empty");
            std::thread::yield_now();
        }
    }
    // A root with nothing in it but the real processes.
    let root = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/proc", root.path().join("proc")).unwrap();
    let report = report(root.path());
    child.kill().unwrap();
    other.kill().unwrap();
    child.wait().unwrap();
    other.wait().unwrap();
    let place = |pid: u32, file: &str, name: &str| format!("proc/{pid}/{file} ({name})");
    assert_eq!(paths(&report, &variable), [place(child.id(), "environ", "sleep")]);
    assert_eq!(id_places(&report, &variable)[0].1, Part::Variable);
    assert_eq!(paths(&report, &argument), [place(other.id(), "cmdline", "sh")]);
}

#[test]
fn the_deadline_is_told() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("proc/1")).unwrap();
    let report = report_with(root.path(), &[], Limits { deadline: Some(Instant::now()), ..Limits::default() });
    assert!(told(&report, Why::TimedOut, "proc").contains("--timeout"));
}
