//! Runs: made, claimed, kept alive, ended.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::any::AnyRow;
use utoipa::ToSchema;

use super::Job;
use crate::database::{Database, DatabaseError, Kind, Sql, maybe_number, maybe_text, number, text};

/// How long a server holds a run without a word.
const LEASE: i64 = 15;
/// Tries of giving a run a number that another has taken.
const TRIES: u32 = 20;

/// What has become of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// It waits for its hour, or for a server.
    Waiting,
    /// A server works on it.
    Running,
    /// It has ended well.
    Done,
    /// A part of it has failed.
    Partly,
    /// A person has to decide something.
    NeedsPerson,
    /// It has failed.
    Failed,
    /// A person has ended it.
    Cancelled,
    /// No server was there at its hour.
    Missed,
}

impl RunState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Running,
        Self::Done,
        Self::Partly,
        Self::NeedsPerson,
        Self::Failed,
        Self::Cancelled,
        Self::Missed,
    ];

    /// Its word for tables and programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Partly => "partly",
            Self::NeedsPerson => "needs-person",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Missed => "missed",
        }
    }

    fn read(row: &AnyRow) -> Result<Self, DatabaseError> {
        let state = text(row, "state")?;
        let known = Self::ALL.into_iter().find(|known| known.as_str() == state);
        known.ok_or_else(|| DatabaseError::Strange { what: format!("a run that is {state:?}") })
    }

    /// Whether nothing more comes of it.
    #[must_use]
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

/// What a person does to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobAct {
    /// A run of it is made now.
    Run,
    /// Its hours do not count.
    Pause,
    /// They count again.
    GoOn,
}

impl JobAct {
    /// The act of that word, as it stands in addresses: `run`, `pause` or `go-on`.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        match word {
            "run" => Some(Self::Run),
            "pause" => Some(Self::Pause),
            "go-on" => Some(Self::GoOn),
            _ => None,
        }
    }
}

/// A run. Moments are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// The job, or what a person has asked for.
    pub job: String,
    /// Its hour.
    pub due_at: i64,
    /// 0, and one more for each try after a failure.
    pub attempt: i64,
    /// The person who asked for it; absent of the schedule's.
    pub asked_by: Option<String>,
    /// The arguments of akia.
    pub command: Vec<String>,
    /// What has become of it.
    pub state: RunState,
    /// The server that works on it, or has.
    pub holder: Option<String>,
    /// How often it was claimed.
    #[serde(skip)]
    pub epoch: i64,
    /// When it began.
    pub started_at: Option<i64>,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// How.
    pub exit_code: Option<i64>,
    /// What there is to say of its end.
    pub words: Option<String>,
    /// Who wants it to end.
    pub cancelled_by: Option<String>,
}

/// A run that is claimed, and whether a server before has lost it.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) run: Run,
    pub(super) lost_by: Option<String>,
}

/// The runs of these tables.
#[derive(Debug, Clone)]
pub struct Runs {
    database: Database,
}

impl Runs {
    /// Of these tables.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Now. Where several servers share a database its clock counts, for theirs may differ.
    pub(super) async fn now(&self, ours: i64) -> Result<i64, DatabaseError> {
        if self.database.kind() == Kind::Sqlite {
            return Ok(ours);
        }
        let sql = Sql::new("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS BIGINT) AS now");
        let rows = self.database.rows("ask for the time", sql).await?;
        rows.first().map_or(Ok(ours), |row| number(row, "now"))
    }

    /// Makes the run of a job whose hour has come, where there is none yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plan(&self, job: &Job, now: i64) -> Result<(), DatabaseError> {
        let (name, pattern) = (job.settings.name.as_str(), job.pattern());
        let sql = Sql::new("SELECT pattern, seen_at, paused_at FROM job_state WHERE job = ").value(name);
        let rows = self.database.rows("read a job", sql).await?;
        let known = rows.first().filter(|row| text(row, "pattern").is_ok_and(|known| known == pattern));
        let Some(known) = known else {
            // Hours before a server first saw them are nobody's.
            let sql = Sql::new("INSERT INTO job_state (job, pattern, seen_at) VALUES ")
                .row([name.into(), pattern.clone().into(), now.into()])
                .text(" ON CONFLICT (job) DO UPDATE SET pattern = EXCLUDED.pattern, seen_at = EXCLUDED.seen_at");
            return self.database.run("note a job", sql).await.map(|_| ());
        };
        let seen_at = number(known, "seen_at")?;
        let is_paused = maybe_number(known, "paused_at")?.is_some();
        let Some(due) = job.last_due(now).filter(|due| *due > seen_at && !is_paused) else { return Ok(()) };
        let sql = Sql::new("SELECT id FROM run WHERE job = ").value(name).text(" AND due_at = ").value(due);
        if !self.database.rows("look for a run", sql).await?.is_empty() {
            return Ok(());
        }
        let is_late = now - due > job.settings.catch_up.as_secs() + job.settings.jitter.as_secs();
        let state = if is_late { RunState::Missed } else { RunState::Waiting };
        let run = New { job: name, due, attempt: 0, asked_by: None, command: &job.settings.run, state };
        self.make(&run, due + job.jitter(due)).await.map(|_| ())
    }

    /// Makes a run that a person has asked for. Its number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ask(&self, job: &str, command: &[String], person: &str, now: i64) -> Result<i64, DatabaseError> {
        for later in 0..TRIES {
            // Two who ask in the same second are served in two.
            let due = now + i64::from(later);
            let run = New { job, due, attempt: 0, asked_by: Some(person), command, state: RunState::Waiting };
            if let Some(id) = self.make(&run, now).await? {
                return Ok(id);
            }
        }
        Err(DatabaseError::Strange { what: format!("a run of {job} in each of the coming seconds") })
    }

    /// Makes the next try of a run that has failed.
    pub(super) async fn retry(&self, run: &Run, not_before: i64) -> Result<(), DatabaseError> {
        let next = New {
            job: &run.job,
            due: run.due_at,
            attempt: run.attempt + 1,
            asked_by: run.asked_by.as_deref(),
            command: &run.command,
            state: RunState::Waiting,
        };
        self.make(&next, not_before).await.map(|_| ())
    }

    /// `None` where there is such a run already.
    async fn make(&self, run: &New<'_>, not_before: i64) -> Result<Option<i64>, DatabaseError> {
        let command = serde_json::to_string(run.command)
            .map_err(|error| DatabaseError::Strange { what: format!("a command that cannot be written: {error}") })?;
        for _ in 0..TRIES {
            let sql = Sql::new("SELECT COALESCE(MAX(id), 0) + 1 AS next FROM run");
            let rows = self.database.rows("number a run", sql).await?;
            let id = rows.first().map_or(Ok(1), |row| number(row, "next"))?;
            let ended_at = (run.state == RunState::Missed).then_some(not_before);
            let sql = Sql::new(
                "INSERT INTO run (id, job, due_at, attempt, asked_by, command, state, not_before, epoch, lease_until, ended_at) \
                 VALUES ",
            );
            let sql = sql.row([
                id.into(),
                run.job.into(),
                run.due.into(),
                run.attempt.into(),
                run.asked_by.map(str::to_owned).into(),
                command.clone().into(),
                run.state.as_str().into(),
                not_before.into(),
                0.into(),
                0.into(),
                ended_at.into(),
            ]);
            if self.database.run("make a run", sql.text(" ON CONFLICT DO NOTHING")).await? == 1 {
                return Ok(Some(id));
            }
            let sql = Sql::new("SELECT id FROM run WHERE job = ").value(run.job).text(" AND due_at = ").value(run.due);
            let sql = sql.text(" AND attempt = ").value(run.attempt);
            if !self.database.rows("look for a run", sql).await?.is_empty() {
                return Ok(None);
            }
        }
        Err(DatabaseError::Strange { what: "runs that take every number".to_owned() })
    }

    /// Claims a run whose hour has come and that nobody works on, or whose server has been silent for too long. Of one job one
    /// run goes at a time.
    pub(super) async fn claim(&self, holder: &str, now: i64) -> Result<Option<Claimed>, DatabaseError> {
        let sql = Sql::new("SELECT * FROM run WHERE (state = 'waiting' AND not_before <= ").value(now);
        let sql = sql.text(") OR (state = 'running' AND lease_until < ").value(now).text(") ORDER BY id LIMIT 20");
        for row in self.database.rows("look for work", sql).await? {
            let run = Run::read(&row)?;
            let sql = Sql::new("UPDATE run SET state = 'running', holder = ").value(holder);
            let sql = sql.text(", epoch = epoch + 1, lease_until = ").value(now + LEASE);
            let sql = sql.text(", started_at = COALESCE(started_at, ").value(now).text(") WHERE id = ").value(run.id);
            let sql = sql.text(" AND epoch = ").value(run.epoch).text(" AND state IN ('waiting', 'running')");
            let sql = sql.text(" AND NOT EXISTS (SELECT 1 FROM run other WHERE other.job = ").value(run.job.as_str());
            let sql = sql
                .text(" AND other.id <> ")
                .value(run.id)
                .text(" AND other.state = 'running' AND other.lease_until >= ");
            if self.database.run("claim a run", sql.value(now).text(")")).await? == 1 {
                let lost_by = (run.state == RunState::Running).then(|| run.holder.clone().unwrap_or_default());
                let run =
                    Run { holder: Some(holder.to_owned()), epoch: run.epoch + 1, state: RunState::Running, ..run };
                return Ok(Some(Claimed { run, lost_by }));
            }
        }
        Ok(None)
    }

    /// Says that a claimed run is still worked on. Who wants it to end, if anybody; `None` where it is not ours any more.
    pub(super) async fn keep(&self, run: &Run, now: i64) -> Result<Option<Option<String>>, DatabaseError> {
        let sql = Sql::new("UPDATE run SET lease_until = ").value(now + LEASE);
        if self.database.run("keep a run", ours(sql, run)).await? == 0 {
            return Ok(None);
        }
        let sql = Sql::new("SELECT cancelled_by FROM run WHERE id = ").value(run.id);
        let rows = self.database.rows("read a run", sql).await?;
        rows.first().map(|row| maybe_text(row, "cancelled_by")).transpose()
    }

    /// Notes how a claimed run has ended. Whether it was still ours.
    pub(super) async fn end(&self, run: &Run, end: &End, now: i64) -> Result<bool, DatabaseError> {
        let sql = Sql::new("UPDATE run SET state = ").value(end.state.as_str()).text(", ended_at = ").value(now);
        let sql = sql.text(", exit_code = ").value(end.exit_code).text(", words = ").value(end.words.clone());
        Ok(self.database.run("end a run", ours(sql, run)).await? == 1)
    }

    /// Adds lines to what a run says.
    pub(super) async fn tell(&self, run: i64, first: i64, lines: &[String], now: i64) -> Result<(), DatabaseError> {
        for (numbers, lines) in (0..).zip(lines.chunks(100)) {
            let mut sql = Sql::new("INSERT INTO run_line (run, number, at, line) VALUES ");
            for (position, line) in (0..).zip(lines) {
                let number = first + numbers * 100 + position;
                sql = if position == 0 { sql } else { sql.text(", ") };
                sql = sql.row([run.into(), number.into(), now.into(), line.as_str().into()]);
            }
            self.database.run("keep what a run says", sql.text(" ON CONFLICT DO NOTHING")).await?;
        }
        Ok(())
    }

    /// The number of the next line of a run.
    pub(super) async fn next_line(&self, run: i64) -> Result<i64, DatabaseError> {
        let sql = Sql::new("SELECT COALESCE(MAX(number), -1) + 1 AS next FROM run_line WHERE run = ").value(run);
        let rows = self.database.rows("read what a run says", sql).await?;
        rows.first().map_or(Ok(0), |row| number(row, "next"))
    }

    /// What a run says, from a line on: numbers and lines.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lines(&self, run: i64, from: i64) -> Result<Vec<(i64, String)>, DatabaseError> {
        let sql = Sql::new("SELECT number, line FROM run_line WHERE run = ").value(run).text(" AND number >= ");
        let sql = sql.value(from).text(" ORDER BY number LIMIT 5000");
        let rows = self.database.rows("read what a run says", sql).await?;
        rows.iter().map(|row| Ok((number(row, "number")?, text(row, "line")?))).collect()
    }

    /// A run.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run(&self, id: i64) -> Result<Option<Run>, DatabaseError> {
        let rows = self.database.rows("read a run", Sql::new("SELECT * FROM run WHERE id = ").value(id)).await?;
        rows.first().map(Run::read).transpose()
    }

    /// The latest runs, the newest first; of one job, where one is named.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn latest(&self, job: Option<&str>, most: i64) -> Result<Vec<Run>, DatabaseError> {
        let mut sql = Sql::new("SELECT * FROM run");
        if let Some(job) = job {
            sql = sql.text(" WHERE job = ").value(job);
        }
        let rows = self.database.rows("read runs", sql.text(" ORDER BY id DESC LIMIT ").value(most)).await?;
        rows.iter().map(Run::read).collect()
    }

    /// How many runs of each job are in each state.
    pub(crate) async fn counts(&self) -> Result<BTreeMap<(String, RunState), i64>, DatabaseError> {
        let sql = Sql::new("SELECT job, state, COUNT(*) AS runs FROM run GROUP BY job, state");
        let rows = self.database.rows("count runs", sql).await?;
        rows.iter().map(|row| Ok(((text(row, "job")?, RunState::read(row)?), number(row, "runs")?))).collect()
    }

    /// Asks a run to end. Whether there is one to ask.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel(&self, id: i64, person: &str, now: i64) -> Result<bool, DatabaseError> {
        let sql = Sql::new("UPDATE run SET state = 'cancelled', ended_at = ").value(now).text(", cancelled_by = ");
        let sql = sql.value(person).text(" WHERE state = 'waiting' AND id = ").value(id);
        if self.database.run("cancel a run", sql).await? == 1 {
            return Ok(true);
        }
        let sql = Sql::new("UPDATE run SET cancelled_by = ").value(person).text(" WHERE state = 'running' AND id = ");
        Ok(self.database.run("cancel a run", sql.value(id)).await? == 1)
    }

    /// Does to a job what a person wants. The number of the run, where one is made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn act(&self, job: &Job, act: JobAct, person: &str, now: i64) -> Result<Option<i64>, DatabaseError> {
        let name = job.settings.name.as_str();
        match act {
            JobAct::Run => self.ask(name, &job.settings.run, person, now).await.map(Some),
            JobAct::Pause => self.pause(name, Some(person), now).await.map(|_| None),
            JobAct::GoOn => self.pause(name, None, now).await.map(|_| None),
        }
    }

    /// Pauses a job, or lets it go on. Whether a server knows it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pause(&self, job: &str, person: Option<&str>, now: i64) -> Result<bool, DatabaseError> {
        let sql = Sql::new("UPDATE job_state SET paused_by = ").value(person.map(str::to_owned)).text(", paused_at = ");
        // Hours that passed meanwhile are nobody's.
        let sql = sql.value(person.map(|_| now)).text(", seen_at = ").value(now).text(" WHERE job = ").value(job);
        Ok(self.database.run("pause a job", sql).await? == 1)
    }

    /// Who has paused a job, and when.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn paused(&self, job: &str) -> Result<Option<(String, i64)>, DatabaseError> {
        let sql = Sql::new("SELECT paused_by, paused_at FROM job_state WHERE job = ").value(job);
        let rows = self.database.rows("read a job", sql).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(maybe_text(row, "paused_by")?.zip(maybe_number(row, "paused_at")?))
    }

    /// Forgets runs that ended before a moment, with what they said.
    pub(super) async fn forget(&self, before: i64) -> Result<(), DatabaseError> {
        let old = "(SELECT id FROM run WHERE ended_at < ";
        let sql = Sql::new("DELETE FROM run_line WHERE run IN ").text(old).value(before).text(")");
        self.database.run("forget old runs", sql).await?;
        self.database.run("forget old runs", Sql::new("DELETE FROM run WHERE ended_at < ").value(before)).await?;
        Ok(())
    }
}

/// How a run has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) state: RunState,
    pub(super) exit_code: Option<i64>,
    pub(super) words: Option<String>,
}

/// A run to make.
struct New<'a> {
    job: &'a str,
    due: i64,
    attempt: i64,
    asked_by: Option<&'a str>,
    command: &'a [String],
    state: RunState,
}

fn ours(sql: Sql, run: &Run) -> Sql {
    sql.text(" WHERE state = 'running' AND id = ").value(run.id).text(" AND epoch = ").value(run.epoch)
}

impl Run {
    fn read(row: &AnyRow) -> Result<Self, DatabaseError> {
        let command = text(row, "command")?;
        Ok(Self {
            id: number(row, "id")?,
            job: text(row, "job")?,
            due_at: number(row, "due_at")?,
            attempt: number(row, "attempt")?,
            asked_by: maybe_text(row, "asked_by")?,
            command: serde_json::from_str(&command)
                .map_err(|error| DatabaseError::Strange { what: format!("the command of a run: {error}") })?,
            state: RunState::read(row)?,
            holder: maybe_text(row, "holder")?,
            epoch: number(row, "epoch")?,
            started_at: maybe_number(row, "started_at")?,
            ended_at: maybe_number(row, "ended_at")?,
            exit_code: maybe_number(row, "exit_code")?,
            words: maybe_text(row, "words")?,
            cancelled_by: maybe_text(row, "cancelled_by")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::job::tests::job;
    use super::*;

    const HOUR: i64 = 3_600;
    /// 2026-11-24T12:00:00Z.
    const NOON: i64 = 1_795_521_600;

    async fn both() -> [(tempfile::TempDir, Runs); 2] {
        crate::database::tests::both().await.map(|(folder, database)| (folder, Runs::new(database)))
    }

    async fn states(runs: &Runs) -> Vec<(i64, RunState)> {
        runs.latest(None, 100).await.unwrap().iter().rev().map(|run| (run.due_at - NOON, run.state)).collect()
    }

    #[tokio::test]
    async fn an_hour_makes_one_run_however_many_servers_look_and_hours_before_the_first_look_make_none() {
        for (_folder, runs) in both().await {
            hours(runs).await;
        }
    }

    async fn hours(runs: Runs) {
        let job = job("at = \"0 * * * *\"\ncatch-up = \"90m\"");
        runs.plan(&job, NOON + 60).await.unwrap();
        assert_eq!(states(&runs).await, []);
        let all = (0..8).map(|_| runs.plan(&job, NOON + HOUR));
        for planned in futures_util::future::join_all(all).await {
            planned.unwrap();
        }
        assert_eq!(states(&runs).await, [(HOUR, RunState::Waiting)]);
        // Servers were away for a while: the last hour is caught up, and one that is too long past is told as missed.
        runs.plan(&job, NOON + 5 * HOUR + 80 * 60).await.unwrap();
        assert_eq!(states(&runs).await.last(), Some(&(6 * HOUR, RunState::Waiting)));
        let rare = self::job("at = \"0 6 * * *\"\ncatch-up = \"90m\"");
        runs.plan(&rare, NOON + 7 * HOUR).await.unwrap();
        runs.plan(&rare, NOON + 22 * HOUR).await.unwrap();
        assert_eq!(states(&runs).await.last(), Some(&(18 * HOUR, RunState::Missed)));
    }

    #[tokio::test]
    async fn a_paused_job_makes_none_and_does_not_make_up_for_the_pause() {
        for (_folder, runs) in both().await {
            pause(runs).await;
        }
    }

    async fn pause(runs: Runs) {
        let job = job("at = \"0 * * * *\"");
        assert!(!runs.pause("audit", Some("ann"), NOON).await.unwrap(), "no server knows it yet");
        runs.plan(&job, NOON).await.unwrap();
        assert!(runs.pause("audit", Some("ann"), NOON + 60).await.unwrap());
        assert_eq!(runs.paused("audit").await.unwrap(), Some(("ann".to_owned(), NOON + 60)));
        runs.plan(&job, NOON + HOUR).await.unwrap();
        assert!(runs.pause("audit", None, NOON + HOUR + 60).await.unwrap());
        runs.plan(&job, NOON + HOUR + 120).await.unwrap();
        assert_eq!(states(&runs).await, []);
        runs.plan(&job, NOON + 2 * HOUR).await.unwrap();
        assert_eq!(states(&runs).await, [(2 * HOUR, RunState::Waiting)]);
    }

    #[tokio::test]
    async fn one_server_holds_a_run_until_it_is_silent_for_too_long() {
        for (_folder, runs) in both().await {
            lease(runs).await;
        }
    }

    async fn lease(runs: Runs) {
        let command = ["audit".to_owned()];
        let id = runs.ask("audit", &command, "ann", NOON).await.unwrap();
        let second = runs.ask("audit", &command, "bob", NOON).await.unwrap();
        assert_ne!(id, second);
        let names: Vec<String> = (0..8).map(|number| format!("server-{number}")).collect();
        let claims = futures_util::future::join_all(names.iter().map(|name| runs.claim(name, NOON))).await;
        let claims: Vec<Claimed> = claims.into_iter().filter_map(Result::unwrap).collect();
        let [claimed] = claims.as_slice() else { panic!("one run of a job goes at a time: {claims:?}") };
        assert_eq!((claimed.run.id, &claimed.lost_by), (id, &None));
        let first = &claimed.run;
        assert_eq!(runs.keep(first, NOON + LEASE - 1).await.unwrap(), Some(None));
        assert!(runs.claim("other", NOON + LEASE + 1).await.unwrap().is_none());
        let taken = runs.claim("other", NOON + 2 * LEASE).await.unwrap().unwrap();
        assert_eq!((taken.run.id, taken.lost_by.as_ref()), (id, first.holder.as_ref()));
        assert_eq!(runs.keep(first, NOON + 2 * LEASE).await.unwrap(), None, "it is not theirs any more");
        let end = End { state: RunState::Done, exit_code: Some(0), words: None };
        assert!(!runs.end(first, &end, NOON + 2 * LEASE).await.unwrap());
        assert_eq!(runs.run(id).await.unwrap().unwrap().state, RunState::Running);
        assert!(runs.cancel(id, "eve", NOON).await.unwrap());
        assert_eq!(runs.keep(&taken.run, NOON + 2 * LEASE).await.unwrap(), Some(Some("eve".to_owned())));
        assert!(runs.end(&taken.run, &end, NOON + 2 * LEASE).await.unwrap());
        assert_eq!(runs.claim("other", NOON + 2 * LEASE).await.unwrap().unwrap().run.id, second);
        assert!(!runs.cancel(id, "eve", NOON).await.unwrap(), "it is over");
    }
}
