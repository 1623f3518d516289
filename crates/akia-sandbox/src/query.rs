//! The form of the awsQuery protocol: `Action=…&Version=…&Name.member.1=…`.

use std::collections::BTreeMap;

use crate::failure::Failure;
use crate::mint;

/// The parameters of a call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// From a query string or a body. A name given twice keeps its last value.
    pub(crate) fn parse(query: &str, body: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(body));
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, Failure> {
        self.find(name).filter(|value| !value.is_empty()).ok_or_else(|| Failure::missing(name))
    }

    /// The items of a list of texts, in order.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        (1..).map_while(|index| self.find(&format!("{name}.member.{index}"))).map(str::to_owned).collect()
    }

    /// The items of a list of structures: for each, one of its fields.
    pub(crate) fn field(&self, name: &str, index: usize, field: &str) -> Option<&str> {
        self.find(&format!("{name}.member.{index}.{field}"))
    }

    /// A whole number in a range.
    pub(crate) fn number(&self, name: &str, least: i64, most: i64) -> Result<Option<i64>, Failure> {
        let Some(given) = self.find(name) else { return Ok(None) };
        match given.parse::<i64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
            Ok(_) => Err(Failure::validation(format!(
                "1 validation error detected: Value '{given}' at '{name}' failed to satisfy constraint: \
                 Member must be between {least} and {most}"
            ))),
            Err(_) => Err(Failure::new(400, "MalformedInput", format!("{name} is not a number"))),
        }
    }

    /// One page of `items`, which are sorted by `key`: at most `MaxItems`, and never more than `page_size`.
    pub(crate) fn page<T>(
        &self,
        items: Vec<T>,
        key: impl Fn(&T) -> &str,
        page_size: usize,
    ) -> Result<Page<T>, Failure> {
        let asked = self.number("MaxItems", 1, 1000)?.and_then(|most| usize::try_from(most).ok()).unwrap_or(100);
        let limit = asked.min(page_size);
        let after = match self.find("Marker") {
            None => None,
            Some(marker) => Some(mint::read_marker(marker).ok_or_else(|| Failure::validation("Invalid Marker."))?),
        };
        let mut rest = items.into_iter().filter(|item| after.as_deref().is_none_or(|after| key(item) > after));
        let page: Vec<T> = rest.by_ref().take(limit).collect();
        let marker = rest.next().and(page.last()).map(|last| mint::marker(key(last)));
        Ok(Page { items: page, marker })
    }

    /// All of it, without codes that are worth something to a reader of the log.
    pub(crate) fn without_secrets(&self) -> BTreeMap<String, String> {
        let kept = |name: &str| !matches!(name, "Action" | "Version" | "TokenCode" | "Password");
        self.0.iter().filter(|(name, _)| kept(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Set when there is more.
    pub(crate) marker: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_end_at_the_first_gap() {
        let parameters = Parameters::parse("", b"Action=X&A.member.1=one&A.member.2=tw%2Bo&A.member.4=four");
        assert_eq!(parameters.list("A"), ["one", "tw+o"]);
    }

    #[test]
    fn pages_follow_one_another_to_the_end() {
        let names = || vec!["a", "b", "c"];
        let first = Parameters::parse("MaxItems=2", b"").page(names(), |name| name, 100).unwrap();
        assert_eq!(first.items, ["a", "b"]);
        let query = format!("Marker={}", first.marker.unwrap());
        let second = Parameters::parse(&query, b"").page(names(), |name| name, 1).unwrap();
        assert_eq!((second.items, second.marker), (vec!["c"], None));
        assert!(Parameters::parse("Marker=nonsense!", b"").page(names(), |name| name, 1).is_err());
        assert!(Parameters::parse("MaxItems=0", b"").page(names(), |name| name, 1).is_err());
    }
}
