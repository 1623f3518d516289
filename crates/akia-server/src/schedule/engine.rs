//! The loop of a server: makes what is due, claims what nobody works on, and carries it out.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use akia_io::clock::Clock;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout_at};

use super::process::NOTICE;
pub use super::process::Program;
use super::runs::{Claimed, End, RunState};
use super::{Job, Plans, Run, Runs};
use crate::database::DatabaseError;
use crate::granted::{Grants, GrantsError};
use crate::switch::{Switch, SwitchError};

/// How often a server looks for work.
const LOOK: Duration = Duration::from_secs(1);
/// How often it says that it still works on a run.
const KEEP: Duration = Duration::from_secs(4);
/// How often what a run has said is kept, for whoever watches it.
const FLUSH: Duration = Duration::from_millis(500);
/// Runs that one server carries out at once.
const AT_ONCE: usize = 2;
/// Lines of one run that are kept.
const MOST_LINES: i64 = 20_000;
/// How long ended runs are kept.
const KEPT: i64 = 90 * 86_400;
/// The wait before a try after a failure, doubled each time.
const RETRY_AFTER: i64 = 30;
/// What makes a plan.
const PLAN: [&str; 2] = ["enforce", "plan"];
/// A process that a server before has lost may have left something half done in the journal; this goes on with that first.
const RESUME: [&str; 2] = ["resume", "--yes"];

/// What this process is called among the servers of a database: its machine and its number there.
#[must_use]
pub fn replica() -> String {
    #[cfg(unix)]
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let machine = "server".to_owned();
    format!("{machine}:{}", std::process::id())
}

/// Why the schedule could not be looked at.
#[derive(Debug, thiserror::Error)]
enum TickError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Switch(#[from] SwitchError),
    #[error(transparent)]
    Grants(#[from] GrantsError),
}

/// A server's part in the schedule.
#[derive(Debug, Clone)]
pub struct Engine {
    /// The runs.
    pub runs: Runs,
    /// The plans that runs make and apply.
    pub plans: Plans,
    /// The jobs of the settings.
    pub jobs: Arc<Vec<Job>>,
    /// The kill switch, which this server brings in line with the others'.
    pub switch: Switch,
    /// Exemptions of the pages, in the same way.
    pub grants: Grants,
    /// What carries them out.
    pub program: Program,
    /// What this server is called among others.
    pub replica: String,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl Engine {
    /// Works until it is dropped.
    pub async fn work(self) {
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let mut running = JoinSet::new();
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            while running.try_join_next().is_some() {}
            if let Err(error) = self.tick(&slots, &mut running).await {
                tracing::warn!(%error, "the schedule could not be looked at; trying again");
            }
        }
    }

    async fn tick(&self, slots: &Arc<Semaphore>, running: &mut JoinSet<()>) -> Result<(), TickError> {
        let now = self.runs.now(self.clock.now().as_second()).await?;
        // Before anything begins: what cannot be read of these keeps the schedule from going on.
        self.switch.agree().await?;
        self.grants.agree(now).await?;
        for job in self.jobs.iter() {
            self.runs.plan(job, now).await?;
        }
        while let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
            let Some(claimed) = self.runs.claim(&self.replica, now).await? else { break };
            let engine = self.clone();
            running.spawn(async move {
                let id = claimed.run.id;
                if let Err(error) = engine.carry_out(claimed).await {
                    tracing::warn!(%error, run = id, "a run could not be followed; its lease ends");
                }
                drop(slot);
            });
        }
        if now % 3_600 == 0 {
            self.runs.forget(now - KEPT).await?;
        }
        Ok(())
    }

    async fn carry_out(&self, claimed: Claimed) -> Result<(), DatabaseError> {
        let Claimed { run, lost_by } = claimed;
        let mut said =
            Said { runs: &self.runs, run: run.id, next: self.runs.next_line(run.id).await?, waiting: Vec::new() };
        if let Some(other) = lost_by {
            said.line(format!("# taken over from {other}, which has been silent"));
            let arguments = RESUME.map(str::to_owned);
            if self.follow(&run, &arguments, &mut said).await?.is_none() {
                return Ok(());
            }
        }
        let end = match self.papers(&run).await? {
            Err(words) => End { state: RunState::Failed, exit_code: None, words: Some(words) },
            Ok(papers) => {
                let Some(end) = self.follow(&run, &papers.arguments, &mut said).await? else { return Ok(()) };
                self.keep_plan(&run, &papers, end).await?
            }
        };
        let now = self.runs.now(self.clock.now().as_second()).await?;
        if self.runs.end(&run, &end, now).await? && end.state == RunState::Failed {
            let retries =
                self.jobs.iter().find(|job| job.settings.name == run.job).map_or(0, |job| job.settings.retries);
            if run.attempt < i64::from(retries) {
                let wait = RETRY_AFTER << run.attempt.clamp(0, 6);
                self.runs.retry(&run, now + wait).await?;
            }
        }
        Ok(())
    }

    /// The command as it is run: a plan comes out as a file, and goes in as one.
    async fn papers(&self, run: &Run) -> Result<Result<Papers, String>, DatabaseError> {
        let folder = match tempfile::tempdir() {
            Ok(folder) => folder,
            Err(error) => return Ok(Err(format!("no temporary folder: {error}"))),
        };
        let path = folder.path().join("plan.json");
        let mut arguments = Vec::with_capacity(run.command.len() + 2);
        for argument in &run.command {
            match self.plans.named(argument).await? {
                None => arguments.push(argument.clone()),
                Some(body) => {
                    if let Err(error) = std::fs::write(&path, body) {
                        return Ok(Err(format!("the plan cannot be written down: {error}")));
                    }
                    arguments.push(path.display().to_string());
                }
            }
        }
        let makes_plan = run.command.iter().map(String::as_str).take(PLAN.len()).eq(PLAN);
        if makes_plan {
            arguments.extend(["--out".to_owned(), path.display().to_string()]);
        }
        Ok(Ok(Papers { arguments, plan: makes_plan.then_some(path), _folder: folder }))
    }

    /// Keeps the plan that a run has made, for a person to approve.
    async fn keep_plan(&self, run: &Run, papers: &Papers, end: End) -> Result<End, DatabaseError> {
        let Some(path) = papers.plan.as_ref().filter(|_| end.state == RunState::Done) else { return Ok(end) };
        match std::fs::read_to_string(path) {
            Ok(body) => {
                self.plans.keep(run.id, &body).await?;
                Ok(End { words: Some("its plan waits to be approved".to_owned()), ..end })
            }
            Err(error) => {
                let words = Some(format!("it has left no plan: {error}"));
                Ok(End { state: RunState::Failed, words, ..end })
            }
        }
    }

    /// Runs one command from begin to end; `None` where the run is not ours any more.
    async fn follow(&self, run: &Run, arguments: &[String], said: &mut Said<'_>) -> Result<Option<End>, DatabaseError> {
        said.line(format!("$ akia {}", arguments.join(" ")));
        let mut process = match self.program.begin(arguments) {
            Ok(process) => process,
            Err(error) => {
                let words = Some(format!("akia could not be started: {error}"));
                return Ok(Some(End { state: RunState::Failed, exit_code: None, words }));
            }
        };
        let limit =
            self.jobs.iter().find(|job| job.settings.name == run.job).map(|job| job.settings.timeout.unsigned_abs());
        let limit = limit.unwrap_or(Duration::from_secs(6 * 3_600));
        let mut until = Instant::now() + limit;
        let mut ending: Option<End> = None;
        let mut next_keep = Instant::now() + KEEP;
        let mut next_flush = Instant::now() + FLUSH;
        loop {
            let line = timeout_at(next_flush.min(until), process.lines.recv()).await;
            match line {
                Ok(Some(line)) => said.line(line),
                Ok(None) => break,
                Err(_) => {}
            }
            if Instant::now() >= next_flush {
                said.flush(self.clock.now().as_second()).await?;
                next_flush = Instant::now() + FLUSH;
            }
            if Instant::now() >= next_keep {
                let now = self.runs.now(self.clock.now().as_second()).await?;
                match self.runs.keep(run, now).await? {
                    None => {
                        process.kill().await;
                        return Ok(None);
                    }
                    Some(Some(person)) if ending.is_none() => {
                        said.line(format!("# {person} ends it"));
                        ending = Some(End {
                            state: RunState::Cancelled,
                            exit_code: None,
                            words: Some(format!("ended by {person}")),
                        });
                        process.ask_to_end();
                        until = Instant::now() + NOTICE;
                    }
                    Some(_) => {}
                }
                next_keep = Instant::now() + KEEP;
            }
            if Instant::now() >= until {
                if ending.is_some() {
                    process.kill().await;
                    break;
                }
                said.line(format!("# it takes longer than {} s and is asked to end", limit.as_secs()));
                let words = Some(format!("it took longer than {} s", limit.as_secs()));
                ending = Some(End { state: RunState::Failed, exit_code: None, words });
                process.ask_to_end();
                until = Instant::now() + NOTICE;
            }
        }
        let end = process.end().await;
        said.flush(self.clock.now().as_second()).await?;
        Ok(Some(ending.map_or(end.clone(), |ending| End { exit_code: end.exit_code, ..ending })))
    }
}

/// What one run is given, and gives.
struct Papers {
    arguments: Vec<String>,
    plan: Option<PathBuf>,
    _folder: tempfile::TempDir,
}

/// What a run says, on its way to the tables.
struct Said<'a> {
    runs: &'a Runs,
    run: i64,
    next: i64,
    waiting: Vec<String>,
}

impl Said<'_> {
    fn line(&mut self, line: String) {
        self.waiting.push(line);
    }

    async fn flush(&mut self, now: i64) -> Result<(), DatabaseError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let room = usize::try_from(MOST_LINES - self.next).unwrap_or(0);
        let cut = self.waiting.len() > room;
        self.waiting.truncate(room);
        if cut && room > 0 {
            self.waiting.pop();
            self.waiting.push(format!("# it says more than {MOST_LINES} lines; the rest is not kept"));
        }
        let lines = std::mem::take(&mut self.waiting);
        self.runs.tell(self.run, self.next, &lines, now).await?;
        self.next += i64::try_from(lines.len()).unwrap_or(0);
        Ok(())
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use akia_io::clock::SystemClock;
    use akia_io::enforce::{GrantedFile, StopFile};
    use akia_io::state::StateFolder;

    use super::super::job::tests::job;
    use super::*;

    struct Desk {
        folder: tempfile::TempDir,
        engine: Engine,
    }

    /// A server whose akia is a script.
    async fn desk(script: &str) -> Desk {
        let (folder, database) = crate::database::tests::scratch().await;
        let path = folder.path().join("akia");
        std::fs::write(&path, format!("#!/bin/sh\ncd {}\n{script}\n", folder.path().display())).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let state = StateFolder::open(&folder.path().join("state")).unwrap();
        let jobs = vec![job("at = \"0 0 1 1 *\"\nretries = 1\ntimeout = \"3s\"")];
        let engine = Engine {
            switch: Switch::new(database.clone(), StopFile::of(&state)),
            grants: Grants::new(database.clone(), GrantedFile::of(&state)),
            plans: Plans::new(database.clone()),
            runs: Runs::new(database),
            jobs: Arc::new(jobs),
            program: Program { path, variables: vec![("WORD".to_owned(), "spoken".to_owned())] },
            replica: "one".to_owned(),
            clock: Arc::new(SystemClock),
        };
        Desk { folder, engine }
    }

    impl Desk {
        async fn ask(&self, command: &[&str]) -> i64 {
            let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
            self.engine.runs.ask("audit", &command, "ann", SystemClock.now().as_second()).await.unwrap()
        }

        /// The run as it is once the condition holds.
        async fn wait(&self, id: i64, until: impl Fn(&Run) -> bool) -> Run {
            for _ in 0..600 {
                let run = self.engine.runs.run(id).await.unwrap().unwrap();
                if until(&run) {
                    return run;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            panic!("{:?}: {:?}", self.engine.runs.run(id).await.unwrap(), self.lines(id).await);
        }

        async fn lines(&self, id: i64) -> Vec<String> {
            self.engine.runs.lines(id, 0).await.unwrap().into_iter().map(|(_, line)| line).collect()
        }
    }

    fn is_over(run: &Run) -> bool {
        run.state.is_over()
    }

    #[tokio::test]
    async fn a_run_is_carried_out_and_what_it_says_is_kept_as_it_says_it() {
        let desk = desk("echo \"$WORD $*\"; echo trouble >&2; while [ ! -e go ]; do sleep 0.1; done; exit 4").await;
        let working = tokio::spawn(desk.engine.clone().work());
        let id = desk.ask(&["audit", "--org"]).await;
        let run = desk.wait(id, |run| run.state == RunState::Running).await;
        assert_eq!(run.holder.as_deref(), Some("one"));
        let mut lines = Vec::new();
        for _ in 0..100 {
            lines = desk.lines(id).await;
            if lines.len() == 3 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        lines.sort();
        assert_eq!(lines, ["$ akia audit --org", "spoken audit --org", "trouble"], "before the run has ended");
        std::fs::write(desk.folder.path().join("go"), "").unwrap();
        let run = desk.wait(id, is_over).await;
        assert_eq!((run.state, run.exit_code), (RunState::Done, Some(4)));
        assert_eq!(run.words.as_deref(), Some("it has found something"));
        working.abort();
    }

    #[tokio::test]
    async fn one_that_fails_is_tried_again_as_often_as_the_job_says_and_one_that_hangs_is_ended() {
        let desk = desk("trap 'exit 5' TERM; [ -e slow ] && { while true; do sleep 0.1; done; }; exit 1").await;
        let working = tokio::spawn(desk.engine.clone().work());
        let id = desk.ask(&["audit"]).await;
        assert_eq!(desk.wait(id, is_over).await.state, RunState::Failed);
        let retry = desk.wait(id + 1, |_| true).await;
        assert_eq!((retry.attempt, retry.state, retry.asked_by.as_deref()), (1, RunState::Waiting, Some("ann")));
        std::fs::write(desk.folder.path().join("slow"), "").unwrap();
        let slow = desk.ask(&["audit"]).await;
        let slow = desk.wait(slow, is_over).await;
        assert_eq!((slow.state, slow.exit_code), (RunState::Failed, Some(5)), "it was asked, and has ended by itself");
        assert_eq!(slow.words.as_deref(), Some("it took longer than 3 s"));
        working.abort();
    }

    #[tokio::test]
    async fn a_person_ends_a_run_and_it_ends_at_a_safe_point() {
        let desk = desk("trap 'echo safe; exit 5' TERM; while true; do sleep 0.1; done").await;
        let engine = Engine { jobs: Arc::new(Vec::new()), ..desk.engine.clone() };
        let working = tokio::spawn(engine.work());
        let id = desk.ask(&["audit"]).await;
        desk.wait(id, |run| run.state == RunState::Running).await;
        assert!(desk.engine.runs.cancel(id, "eve", 0).await.unwrap());
        let run = desk.wait(id, is_over).await;
        assert_eq!((run.state, run.words.as_deref()), (RunState::Cancelled, Some("ended by eve")));
        assert!(desk.lines(id).await.contains(&"safe".to_owned()));
        working.abort();
    }

    #[tokio::test]
    async fn what_a_dead_server_has_begun_another_goes_on_with_and_the_processes_of_the_dead_are_gone() {
        let desk = desk("echo \"$1\" >> did; [ \"$1\" = resume ] && exit 0; [ -e second ] && exit 0; touch second; echo $$ > pid; sleep 600").await;
        let dying = tokio::spawn(Engine { jobs: Arc::new(Vec::new()), ..desk.engine.clone() }.work());
        let id = desk.ask(&["audit"]).await;
        let pid = desk.folder.path().join("pid");
        desk.wait(id, |_| std::fs::read_to_string(&pid).is_ok_and(|pid| pid.ends_with('\n'))).await;
        dying.abort();
        let began = std::time::Instant::now();
        let other = Engine { replica: "two".to_owned(), jobs: Arc::new(Vec::new()), ..desk.engine.clone() };
        let working = tokio::spawn(other.work());
        let run = desk.wait(id, is_over).await;
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
        assert_eq!((run.state, run.holder.as_deref()), (RunState::Done, Some("two")));
        let did = std::fs::read_to_string(desk.folder.path().join("did")).unwrap();
        assert_eq!(did, "audit\nresume\naudit\n", "what was left half done comes first");
        let pid = std::fs::read_to_string(&pid).unwrap();
        assert!(!is_alive(pid.trim()), "{pid}");
        assert!(desk.lines(id).await.contains(&"# taken over from one, which has been silent".to_owned()));
        working.abort();
    }

    #[tokio::test]
    async fn a_plan_that_a_run_makes_is_kept_and_another_run_is_given_it() {
        let desk = desk("case \"$2\" in plan) printf '%s' \"$WORD\" > \"$4\";; apply) cat \"$4\"; echo;; esac").await;
        let body = r#"{"plan":{"made_at":"2026-11-24T12:00:00Z","expires_at":"9999-01-01T00:00:00Z","by":"a","policy":"p","evidence":{"audit":1,"at":"2026-11-24T12:00:00Z","accounts":1,"active_keys":1},"steps":[],"held":[],"waiting":0}}"#;
        let program = Program { variables: vec![("WORD".to_owned(), body.to_owned())], ..desk.engine.program.clone() };
        let working = tokio::spawn(Engine { program, ..desk.engine.clone() }.work());
        let id = desk.ask(&["enforce", "plan"]).await;
        let run = desk.wait(id, is_over).await;
        assert_eq!(run.words.as_deref(), Some("its plan waits to be approved"), "{:?}", desk.lines(id).await);
        let applied = desk.engine.plans.approve(&desk.engine.runs, id, None, "ann", 0).await.unwrap().unwrap();
        assert_eq!(desk.wait(applied, is_over).await.state, RunState::Done);
        assert!(desk.lines(applied).await.contains(&body.to_owned()), "{:?}", desk.lines(applied).await);
        working.abort();
    }

    fn is_alive(pid: &str) -> bool {
        let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    }
}
