//! Plans of enforcement: what `akia enforce plan` has written on one server, for a person to approve and any server to apply.

use akia_core::enforce::Plan;
use serde::Deserialize;
use sqlx::any::AnyRow;

use super::Runs;
use crate::database::{Database, DatabaseError, Sql, maybe_number, maybe_text, number, text};

/// Name of the runs that apply plans.
const JOB: &str = "enforce-apply";
/// Stands in a command for the file of a plan: this and its number.
const PLACEHOLDER: &str = "@plan:";

/// A plan as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPlan {
    /// The run that made it, and its number.
    pub run: i64,
    /// What it says.
    pub plan: Plan,
    /// Who approved it, and when; seconds since 1970.
    pub approved: Option<(String, i64)>,
    /// The run that applies it.
    pub applied_run: Option<i64>,
}

/// The plans of these tables.
#[derive(Debug, Clone)]
pub struct Plans {
    database: Database,
}

impl Plans {
    /// Of these tables.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Keeps the plan that a run has written. One that has nothing to do is kept as well: it says that there is nothing.
    ///
    /// # Errors
    /// When it is no plan, or the database fails.
    pub async fn keep(&self, run: i64, body: &str) -> Result<(), DatabaseError> {
        let plan = read(body)?;
        let changes = plan.steps.iter().filter(|step| step.kind.is_change()).count();
        let sql = Sql::new("INSERT INTO plan (run, made_at, expires_at, changes, body) VALUES ").row([
            run.into(),
            plan.made_at.as_second().into(),
            plan.expires_at.as_second().into(),
            i64::try_from(changes).unwrap_or(i64::MAX).into(),
            body.into(),
        ]);
        self.database.run("keep a plan", sql.text(" ON CONFLICT DO NOTHING")).await.map(|_| ())
    }

    /// The latest plans, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn latest(&self, most: i64) -> Result<Vec<KeptPlan>, DatabaseError> {
        let sql = Sql::new("SELECT * FROM plan ORDER BY run DESC LIMIT ").value(most);
        self.database.rows("read plans", sql).await?.iter().map(KeptPlan::read).collect()
    }

    /// One plan.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plan(&self, run: i64) -> Result<Option<KeptPlan>, DatabaseError> {
        let rows = self.database.rows("read a plan", Sql::new("SELECT * FROM plan WHERE run = ").value(run)).await?;
        rows.first().map(KeptPlan::read).transpose()
    }

    /// Approves a plan, all of its changes or those of these keys, and makes the run that applies it. `None` where somebody has approved
    /// it before, or it holds no more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn approve(
        &self,
        runs: &Runs,
        plan: i64,
        keys: Option<&[String]>,
        person: &str,
        now: i64,
    ) -> Result<Option<i64>, DatabaseError> {
        let sql = Sql::new("UPDATE plan SET approved_by = ").value(person).text(", approved_at = ").value(now);
        let sql = sql.text(" WHERE approved_by IS NULL AND run = ").value(plan).text(" AND expires_at > ").value(now);
        if self.database.run("approve a plan", sql).await? == 0 {
            return Ok(None);
        }
        let mut command: Vec<String> = ["enforce", "apply", "--yes"].map(str::to_owned).to_vec();
        command.push(format!("{PLACEHOLDER}{plan}"));
        let all = ["all".to_owned()];
        for key in keys.unwrap_or(&all) {
            command.extend(["--approve".to_owned(), key.clone()]);
        }
        let run = runs.ask(JOB, &command, person, now).await?;
        let sql = Sql::new("UPDATE plan SET applied_run = ").value(run).text(" WHERE run = ").value(plan);
        self.database.run("note who applies a plan", sql).await?;
        Ok(Some(run))
    }

    /// The text of a plan, where an argument stands for its file.
    pub(super) async fn named(&self, argument: &str) -> Result<Option<String>, DatabaseError> {
        let Some(run) = argument.strip_prefix(PLACEHOLDER).and_then(|run| run.parse::<i64>().ok()) else {
            return Ok(None);
        };
        let rows = self.database.rows("read a plan", Sql::new("SELECT body FROM plan WHERE run = ").value(run)).await?;
        rows.first().map(|row| text(row, "body")).transpose()
    }
}

impl KeptPlan {
    fn read(row: &AnyRow) -> Result<Self, DatabaseError> {
        Ok(Self {
            run: number(row, "run")?,
            plan: read(&text(row, "body")?)?,
            approved: maybe_text(row, "approved_by")?.zip(maybe_number(row, "approved_at")?),
            applied_run: maybe_number(row, "applied_run")?,
        })
    }
}

/// The part of the file of `akia enforce plan` that is looked at here.
#[derive(Deserialize)]
struct File {
    plan: Plan,
}

fn read(body: &str) -> Result<Plan, DatabaseError> {
    let file: Result<File, _> = serde_json::from_str(body);
    file.map(|file| file.plan).map_err(|error| DatabaseError::Strange { what: format!("a plan: {error}") })
}

#[cfg(test)]
mod tests {
    use super::super::RunState;
    use super::*;

    /// 2026-11-24T12:00:00Z.
    const NOON: i64 = 1_795_521_600;
    const BODY: &str = r#"{"schema": "akia.enforce-plan/1", "plan": {"made_at": "2026-11-24T12:00:00Z",
        "expires_at": "2026-11-25T12:00:00Z", "by": "ann", "policy": "0123", "evidence": {"audit": 7, "at": "2026-11-24T06:00:00Z",
        "accounts": 3, "active_keys": 40}, "steps": [], "held": [], "waiting": 2}, "notices": []}"#;

    #[tokio::test]
    async fn a_plan_is_approved_once_while_it_holds_and_its_run_is_given_its_file() {
        for (_folder, database) in crate::database::tests::both().await {
            approval(database).await;
        }
    }

    async fn approval(database: Database) {
        let (plans, runs) = (Plans::new(database.clone()), Runs::new(database));
        plans.keep(5, BODY).await.unwrap();
        plans.keep(5, "{}").await.unwrap_err();
        assert_eq!(plans.plan(5).await.unwrap().unwrap().plan.waiting, 2);
        let keys = ["AKIAIOSFODNN7EXAMPLE".to_owned()];
        let late = plans.approve(&runs, 5, Some(&keys), "ann", NOON + 86_400).await.unwrap();
        assert_eq!(late, None, "it holds no more");
        let all = (0..4).map(|_| plans.approve(&runs, 5, Some(&keys), "ann", NOON + 60));
        let approved: Vec<i64> =
            futures_util::future::join_all(all).await.into_iter().filter_map(Result::unwrap).collect();
        let [run] = approved.as_slice() else { panic!("{approved:?}") };
        let run = runs.run(*run).await.unwrap().unwrap();
        assert_eq!(run.command, ["enforce", "apply", "--yes", "@plan:5", "--approve", "AKIAIOSFODNN7EXAMPLE"]);
        assert_eq!((run.state, run.asked_by.as_deref()), (RunState::Waiting, Some("ann")));
        let kept = plans.plan(5).await.unwrap().unwrap();
        assert_eq!((kept.approved, kept.applied_run), (Some(("ann".to_owned(), NOON + 60)), Some(run.id)));
        assert_eq!(plans.named("@plan:5").await.unwrap().as_deref(), Some(BODY));
        for other in ["@plan:6", "@plan:x", "plan:5", "--yes"] {
            assert_eq!(plans.named(other).await.unwrap(), None, "{other}");
        }
    }
}
