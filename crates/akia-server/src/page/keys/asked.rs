//! Reads a question from an address. A form sends its empty fields as well: they ask for nothing.

use axum::extract::Query;
use axum::http::Uri;

use crate::estate::{Question, percent};

/// Most keys on a page.
const MOST: u32 = 500;
/// Longest text that is searched for, and most words in it.
const LONGEST: usize = 200;
const WORDS: usize = 8;

/// Why an address cannot be answered.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// A field that there is not, or a value that it cannot have.
    #[error("this address asks for something that cannot be understood: {0}")]
    Unknown(String),
    /// A search that would keep the database busy.
    #[error("a search is at most {LONGEST} letters and {WORDS} words long")]
    TooLong,
}

pub(super) fn read(uri: &Uri) -> Result<Question, Refused> {
    let unknown = |error: &dyn std::fmt::Display| Refused::Unknown(error.to_string());
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|error| unknown(&error))?;
    let filled = pairs.iter().map(|(name, value)| (name, value.trim())).filter(|(_, value)| !value.is_empty());
    let pairs: Vec<_> = filled.map(|(name, value)| format!("{}={}", percent(name), percent(value))).collect();
    let filled = format!("/?{}", pairs.join("&")).parse::<Uri>().map_err(|error| unknown(&error))?;
    let Query(mut question) = Query::<Question>::try_from_uri(&filled).map_err(|error| unknown(&error))?;
    if question.search.len() > LONGEST || question.search.split_whitespace().count() > WORDS {
        return Err(Refused::TooLong);
    }
    question.size = question.size.clamp(1, MOST);
    Ok(question)
}

#[cfg(test)]
mod tests {
    use akia_core::finding::Severity;

    use super::*;
    use crate::estate::{LastUse, Sort};

    #[test]
    fn an_address_is_read_as_it_was_written_and_empty_fields_ask_for_nothing() {
        let question = Question {
            search: "a&b 100% ü".to_owned(),
            active: Some(true),
            older_than: Some(90),
            last_use: Some(LastUse::Never),
            severity: Some(Severity::High),
            owner: Some("x+y@example.com".to_owned()),
            ownerless: true,
            sort: Sort::LastUsed,
            reverse: true,
            page: 7,
            ..Question::default()
        };
        assert_eq!(read(&format!("/keys{}", question.address()).parse().unwrap()), Ok(question));
        let plain = read(&"/keys?search=&active=&older-than=&owner=+&sort=&page=".parse().unwrap());
        assert_eq!(plain, Ok(Question::default()));
    }

    #[test]
    fn what_is_not_asked_for_here_is_refused_by_name() {
        for (query, said) in [("nonsense=1", "nonsense"), ("older-than=-1", "older-than"), ("sort=size", "size")] {
            let refused = read(&format!("/keys?{query}").parse().unwrap()).unwrap_err().to_string();
            assert!(refused.contains(said), "{refused}");
        }
        let long = format!("/keys?search={}", "a%20".repeat(9));
        assert_eq!(read(&long.parse().unwrap()), Err(Refused::TooLong));
        assert_eq!(read(&"/keys?size=4000000000".parse().unwrap()).unwrap().size, MOST);
    }
}
