//! The kill switch of enforcement, for all servers of a database: what is thrown on one holds on each within seconds.
//!
//! What acts on keys looks for the file in its own state folder before each act (`akia enforce stop`). The note in the tables is
//! what servers agree on; each brings its own file in line with it.

use akia_io::enforce::{StopFile, Stopped};
use jiff::Timestamp;

use crate::database::{Database, DatabaseError, Sql, maybe_number, maybe_text};

/// The note.
const NOTE: &str = "enforcement-off";
/// Ends the name in a file that a server has written, so that it takes back no other.
const MARK: &str = " (akia serve)";

/// The switch.
#[derive(Debug, Clone)]
pub struct Switch {
    database: Database,
    file: StopFile,
}

/// Why the switch could not be moved.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// The tables.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The file of this machine.
    #[error("the switch of this machine cannot be moved: {0}")]
    File(String),
}

impl Switch {
    /// Of these tables and this machine.
    #[must_use]
    pub fn new(database: Database, file: StopFile) -> Self {
        Self { database, file }
    }

    /// Who has switched enforcement off, when and why: for all servers, or on this machine.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn off(&self) -> Result<Option<Stopped>, DatabaseError> {
        Ok(self.noted().await?.or_else(|| self.file.thrown()))
    }

    /// Switches enforcement off.
    ///
    /// # Errors
    /// When the tables or the file cannot be written; it may be off all the same, and is off where [`Self::off`] says so.
    pub async fn throw(&self, person: &str, reason: &str, now: i64) -> Result<(), SwitchError> {
        let text = format!("{person}\n{reason}");
        let sql =
            Sql::new("INSERT INTO serve_note (name, text, number) VALUES ").row([NOTE.into(), text.into(), now.into()]);
        let sql = sql.text(" ON CONFLICT (name) DO NOTHING");
        self.database.run("switch enforcement off", sql).await?;
        self.agree().await
    }

    /// Switches it on again, whoever has switched it off.
    ///
    /// # Errors
    /// When the tables or the file cannot be written; it stays off then.
    pub async fn take_back(&self) -> Result<(), SwitchError> {
        self.database
            .run("switch enforcement on", Sql::new("DELETE FROM serve_note WHERE name = ").value(NOTE))
            .await?;
        self.file.take_back().map(|_| ()).map_err(|error| SwitchError::File(error.to_string()))
    }

    /// Brings the file of this machine in line with the note.
    ///
    /// # Errors
    /// When the tables cannot be read or the file not be written.
    pub async fn agree(&self) -> Result<(), SwitchError> {
        let (noted, here) = (self.noted().await?, self.file.thrown());
        let failed = |error: &dyn std::fmt::Display| SwitchError::File(error.to_string());
        match (noted, here) {
            (Some(noted), None) => {
                let marked = Stopped { by: format!("{}{MARK}", noted.by), ..noted };
                self.file.throw(&marked).map_err(|error| failed(&error))
            }
            (None, Some(here)) if here.by.ends_with(MARK) => {
                self.file.take_back().map(|_| ()).map_err(|error| failed(&error))
            }
            (Some(_), Some(_)) | (None, _) => Ok(()),
        }
    }

    async fn noted(&self) -> Result<Option<Stopped>, DatabaseError> {
        let sql = Sql::new("SELECT text, number FROM serve_note WHERE name = ").value(NOTE);
        let rows = self.database.rows("read the switch", sql).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let (text, at) = (maybe_text(row, "text")?.unwrap_or_default(), maybe_number(row, "number")?.unwrap_or(0));
        let (by, reason) = text.split_once('\n').unwrap_or((&text, ""));
        let at = Timestamp::from_second(at).unwrap_or_default();
        Ok(Some(Stopped { at, by: by.to_owned(), reason: reason.to_owned() }))
    }
}

#[cfg(test)]
mod tests {
    use akia_io::state::StateFolder;

    use super::*;

    #[tokio::test]
    async fn what_one_server_throws_stops_every_machine_and_what_a_person_threw_on_theirs_stays_theirs() {
        for (folder, database) in crate::database::tests::both().await {
            switching(&folder, &database).await;
        }
    }

    async fn switching(folder: &tempfile::TempDir, database: &Database) {
        let machine = |name: &str| {
            let file = StopFile::of(&StateFolder::open(&folder.path().join(name)).unwrap());
            (Switch::new(database.clone(), file.clone()), file)
        };
        let ((one, _), (two, file)) = (machine("one"), machine("two"));
        one.throw("ann@example.com", "a wrong key was shut", 1_795_521_600).await.unwrap();
        one.throw("bob@example.com", "me too", 1_795_521_601).await.unwrap();
        assert!(file.thrown().is_none());
        two.agree().await.unwrap();
        let thrown = file.thrown().unwrap();
        assert_eq!(
            (thrown.by.as_str(), thrown.reason.as_str()),
            ("ann@example.com (akia serve)", "a wrong key was shut")
        );
        assert_eq!(two.off().await.unwrap().unwrap().by, "ann@example.com");
        one.take_back().await.unwrap();
        two.agree().await.unwrap();
        assert!(file.thrown().is_none() && two.off().await.unwrap().is_none());
        let own = Stopped { at: Timestamp::UNIX_EPOCH, by: "eve".to_owned(), reason: "here only".to_owned() };
        file.throw(&own).unwrap();
        two.agree().await.unwrap();
        assert_eq!(file.thrown(), Some(own.clone()), "no server has thrown it");
        assert_eq!((one.off().await.unwrap(), two.off().await.unwrap()), (None, Some(own)));
    }
}
