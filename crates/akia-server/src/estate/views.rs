//! Questions that somebody keeps under a name. They are that person's alone.

use super::{Estate, Question};
use crate::database::{DatabaseError, Sql, Value, number, rows, run, text};
use crate::sight::Person;

/// Most that one person keeps.
pub const MOST_VIEWS: i64 = 50;
/// Longest name, in letters.
pub const LONGEST_NAME: usize = 60;

/// A question under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The name.
    pub name: String,
    /// The question.
    pub question: Question,
}

/// Why a view was not kept.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The name is empty or too long.
    #[error("a view needs a name of 1 to {LONGEST_NAME} letters")]
    Name,
    /// There are enough.
    #[error("you keep {MOST_VIEWS} views already: delete one first")]
    TooMany,
    /// The tables failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl Estate {
    /// What a person keeps, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn views(&self, person: &Person) -> Result<Vec<View>, DatabaseError> {
        let sql = Sql::new("SELECT name, question FROM saved_view WHERE person = ").value(person.name.as_str());
        let rows = self.database.rows("read the views", sql.text(" ORDER BY name")).await?;
        rows.iter()
            .map(|row| {
                let question = text(row, "question")?;
                let question = serde_json::from_str(&question)
                    .map_err(|error| DatabaseError::Strange { what: format!("a saved view: {error}") })?;
                Ok(View { name: text(row, "name")?, question })
            })
            .collect()
    }

    /// Keeps a question, in place of what had that name. Its page is not part of it.
    ///
    /// # Errors
    /// When the name cannot be one, there are too many, or the database fails.
    pub async fn keep_view(&self, person: &Person, name: &str, question: &Question) -> Result<(), ViewError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
            return Err(ViewError::Name);
        }
        let question = serde_json::to_string(&Question { page: 0, ..question.clone() })
            .map_err(|error| DatabaseError::Strange { what: format!("a view that cannot be written: {error}") })?;
        let mut change = self.database.change().await?;
        let gone = Sql::new("DELETE FROM saved_view WHERE person = ").value(person.name.as_str());
        run(&mut change, "replace a view", gone.text(" AND name = ").value(name)).await?;
        let kept = Sql::new("SELECT COUNT(*) AS total FROM saved_view WHERE person = ").value(person.name.as_str());
        let kept = rows(&mut change, "count views", kept).await?;
        if kept.first().map(|row| number(row, "total")).transpose()?.unwrap_or(0) >= MOST_VIEWS {
            return Err(ViewError::TooMany);
        }
        let values = [Value::from(person.name.as_str()), name.into(), question.into()];
        let sql = Sql::new("INSERT INTO saved_view (person, name, question) VALUES ").row(values);
        run(&mut change, "keep a view", sql).await?;
        Ok(change.commit().await.map_err(crate::database::refused("keep a view"))?)
    }

    /// Forgets one. Whether it was there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_view(&self, person: &Person, name: &str) -> Result<bool, DatabaseError> {
        let sql = Sql::new("DELETE FROM saved_view WHERE person = ").value(person.name.as_str());
        self.database.run("delete a view", sql.text(" AND name = ").value(name)).await.map(|gone| gone > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sight::Role;

    fn person(name: &str) -> Person {
        Person { name: name.to_owned(), role: Role::Viewer, units: Vec::new() }
    }

    #[tokio::test]
    async fn a_view_is_one_persons_alone_and_stays_what_it_was() {
        let (_folder, database) = crate::database::tests::scratch().await;
        let estate = Estate::new(database);
        let (a, b) = (person("a@example.com"), person("b@example.com"));
        let old = Question { older_than: Some(90), page: 4, ..Question::default() };
        estate.keep_view(&a, " old ", &old).await.unwrap();
        let kept = View { name: "old".to_owned(), question: Question { page: 0, ..old.clone() } };
        assert_eq!(estate.views(&a).await.unwrap(), [kept]);
        assert_eq!(estate.views(&b).await.unwrap(), []);
        assert!(!estate.delete_view(&b, "old").await.unwrap(), "another's");
        let other = Question { ownerless: true, ..Question::default() };
        estate.keep_view(&a, "old", &other).await.unwrap();
        assert_eq!(estate.views(&a).await.unwrap(), [View { name: "old".to_owned(), question: other }]);
        assert!(estate.delete_view(&a, "old").await.unwrap());
        assert_eq!(estate.views(&a).await.unwrap(), []);
    }

    #[tokio::test]
    async fn names_and_numbers_of_views_have_limits() {
        let (_folder, database) = crate::database::tests::scratch().await;
        let estate = Estate::new(database);
        let a = person("a@example.com");
        for name in ["", "  ", "a\nb", &"ü".repeat(61)] {
            let refused = estate.keep_view(&a, name, &Question::default()).await;
            assert!(matches!(refused, Err(ViewError::Name)), "{name:?}");
        }
        for number in 0..MOST_VIEWS {
            estate.keep_view(&a, &format!("view {number}"), &Question::default()).await.unwrap();
        }
        let refused = estate.keep_view(&a, "one more", &Question::default()).await.unwrap_err();
        assert_eq!(refused.to_string(), "you keep 50 views already: delete one first");
        estate.keep_view(&a, "view 7", &Question::default()).await.unwrap();
    }
}
