//! What `akia service create` shows: the plan, what differs, what was done and taken back, and the report.

use akia_core::AccessKeyId;
use akia_core::cheatsheet::{ByHand, Connection, Operation};
use akia_core::rotation::Place;
use akia_core::service::{Change, DiffLine, Difference, Plan, Review, ServiceWish};
use serde_json::json;

use super::deliver_to::word_of;
use super::delivery::KeyPlan;
use crate::aws_cli;
use crate::commands::service::CreateArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::output::{Cell, Column, Report, Row};
use crate::signing::{Signed, Whose};

/// Everything that the plan says.
pub(super) struct Shown<'a> {
    pub(super) args: &'a CreateArgs,
    pub(super) wish: &'a ServiceWish,
    pub(super) plan: &'a Plan,
    pub(super) key: &'a KeyPlan,
    pub(super) places: &'a [Place],
    pub(super) review: &'a Review,
    pub(super) notes: &'a [String],
    /// What has to be said of a policy that was drawn from calls.
    pub(super) drawn: &'a [String],
    pub(super) signed: &'a Signed,
    pub(super) whose: &'a Whose,
}

impl Shown<'_> {
    /// Whether there is nothing to do.
    pub(super) fn is_done(&self) -> bool {
        self.plan.changes.is_empty() && !self.key.changes()
    }

    /// Prints the plan on stderr.
    pub(super) fn print(&self, context: &Context) {
        let (wish, name) = (self.wish, &self.wish.user);
        let say = |line: &str| context.say(&format!("        {line}"));
        context.say(&format!(
            "service user {name} in account {}, signed by {}",
            self.whose.account,
            self.signed.describe()
        ));
        for change in &self.plan.changes {
            for line in change_lines(change, wish) {
                say(&line);
            }
        }
        match self.key {
            KeyPlan::Unasked => {}
            KeyPlan::Create => {
                say(&format!("create a key, whose secret nobody sees, for {}", listed(self.places)));
            }
            KeyPlan::Copy { pair, to } => say(&format!("bring its key {} to {}", pair.id, listed(to))),
            KeyPlan::Complete(key) => say(&format!("its key {key} is in every place already")),
        }
        if self.is_done() {
            say("everything is as it was asked for");
        }
        for difference in &self.plan.differences {
            difference_lines(difference).iter().for_each(|line| say(line));
        }
        let writes_policy = |change: &Change| matches!(change, Change::PutGroupPolicy { before: None });
        if self.plan.changes.iter().any(writes_policy) {
            say("the policy:");
            wish.document.to_pretty_json().lines().for_each(|line| say(&format!("  {line}")));
        }
        for warning in &self.review.warnings {
            say(&format!("warning: {warning}"));
        }
        for note in self.plan.notes.iter().chain(self.notes) {
            say(&format!("note: {note}"));
        }
        if context.globals.show_aws_cli {
            aws_cli::print(context, &self.steps(context));
        }
    }

    fn steps(&self, context: &Context) -> Vec<akia_core::cheatsheet::Step> {
        let endpoint_url = context.globals.endpoint_url.as_ref().map(|endpoint| endpoint.url().to_string());
        let by = Connection { profile: self.signed.profile.clone(), region: None, endpoint_url };
        let wish = self.wish;
        let (policy, tags) = (wish.document.to_compact_json(), all_tags(wish));
        let by_hand = ByHand {
            user: wish.user.as_str(),
            path: wish.path.as_str(),
            policy: &policy,
            tags: &tags,
            boundary: wish.boundary.as_ref().map(|arn| arn.as_str()),
        };
        let mut steps = by_hand.steps(&self.plan.changes, &by);
        if let KeyPlan::Create = self.key {
            steps.push(aws_cli::step(&Operation::CreateAccessKey { user: Some(wish.user.clone()) }, &by));
        }
        steps
    }

    /// The report on stdout.
    pub(super) fn report(&self, key: Option<&AccessKeyId>, state: &str) -> Report {
        let columns = vec![
            Column::new("user", "USER"),
            Column::whole("account", "ACCOUNT"),
            Column::new("path", "PATH"),
            Column::new("owner", "OWNER"),
            Column::whole("access_key", "ACCESS KEY"),
            Column::new("places", "KEY IN"),
            Column::new("state", "STATE"),
        ];
        let wish = self.wish;
        let key = match self.key {
            KeyPlan::Copy { pair, .. } => Some(&pair.id),
            KeyPlan::Complete(key) => Some(key),
            KeyPlan::Unasked | KeyPlan::Create => key,
        };
        let places = if key.is_some() { self.places } else { &[] };
        let mut row = Row::from(vec![
            Cell::text(&wish.user),
            Cell::text(&self.whose.account),
            Cell::text(&wish.path),
            Cell::text(&self.args.owner),
            Cell::maybe(key),
            Cell::list(places.iter().map(word_of)),
            Cell::text(state),
        ]);
        row.details.insert("group".into(), json!(wish.user));
        row.details.insert("tags".into(), json!(all_tags(wish)));
        row.details.insert("boundary".into(), json!(wish.boundary.as_ref().map(ToString::to_string)));
        row.details.insert("policy".into(), json!(wish.document));
        let changes: Vec<&str> = self.plan.changes.iter().map(change_name).collect();
        row.details.insert("changes".into(), json!(changes));
        row.details.insert("warnings".into(), json!(self.review.warnings));
        row.details.insert("notes".into(), json!(self.plan.notes));
        if self.args.from_usage.is_some() {
            row.details.insert("from_usage".into(), json!(self.drawn));
        }
        let mut report = Report::new("service-create", "services", columns);
        report.push(row);
        report
    }

    /// What stands there and differs is not changed unasked.
    ///
    /// # Errors
    /// Names what to add.
    pub(super) fn refuse_differences(&self) -> Result<(), CommandError> {
        let name = &self.wish.user;
        if let Some(fixed) = self.plan.fixed.first() {
            return Err(CommandError::decision(fixed)
                .now("nothing was changed; a path is part of the ARN, which other policies may name")
                .next("--path with the path that is there, or another NAME"));
        }
        if self.args.replace || self.plan.differences.is_empty() {
            return Ok(());
        }
        let what: Vec<&str> = self.plan.differences.iter().map(difference_name).collect();
        Err(CommandError::decision(format_args!("{name} is there, and differs: {}", what.join(", ")))
            .now("nothing was changed; the difference is shown above")
            .next("add --replace to change what is there")
            .next(format!("akia service check {name}")))
    }
}

pub(super) fn all_tags(wish: &ServiceWish) -> std::collections::BTreeMap<String, String> {
    let mut tags = wish.tags.clone();
    tags.insert(wish.created_by.0.clone(), wish.created_by.1.clone());
    tags
}

fn listed(places: &[Place]) -> String {
    places.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn change_lines(change: &Change, wish: &ServiceWish) -> Vec<String> {
    let (name, path) = (&wish.user, &wish.path);
    let tags = |tags: &std::collections::BTreeMap<String, String>| {
        tags.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
    };
    match change {
        Change::CreateGroup => vec![format!("create group {name}, path {path}")],
        Change::PutGroupPolicy { before: None } => vec![format!("give group {name} its policy")],
        Change::PutGroupPolicy { before: Some(_) } => vec![format!("write over the policy of group {name}")],
        Change::CreateUser => {
            let boundary = match &wish.boundary {
                Some(arn) => format!(", bounded by {arn}"),
                None => String::new(),
            };
            vec![
                format!("create user {name}, path {path}, without a console password{boundary}"),
                format!("  with tags {}", tags(&all_tags(wish))),
            ]
        }
        Change::PutBoundary { .. } => {
            let arn = wish.boundary.as_ref().map(ToString::to_string).unwrap_or_default();
            vec![format!("bound user {name} by {arn}")]
        }
        Change::TagUser { tags: put, .. } => vec![format!("tag user {name}: {}", tags(put))],
        Change::AddToGroup => vec![format!("put user {name} into group {name}")],
    }
}

fn change_name(change: &Change) -> &'static str {
    match change {
        Change::CreateGroup => "create-group",
        Change::PutGroupPolicy { .. } => "put-group-policy",
        Change::CreateUser => "create-user",
        Change::PutBoundary { .. } => "put-user-permissions-boundary",
        Change::TagUser { .. } => "tag-user",
        Change::AddToGroup => "add-user-to-group",
    }
}

/// What was done, once it is.
pub(super) fn done_words(change: &Change, wish: &ServiceWish) -> String {
    let name = &wish.user;
    match change {
        Change::CreateGroup => format!("created group {name}"),
        Change::PutGroupPolicy { .. } => format!("group {name} has its policy"),
        Change::CreateUser => format!("created user {name}"),
        Change::PutBoundary { .. } => format!("user {name} is bounded"),
        Change::TagUser { .. } => format!("user {name} is tagged"),
        Change::AddToGroup => format!("user {name} is in group {name}"),
    }
}

/// What was taken back.
pub(super) fn undone_words(change: &Change, wish: &ServiceWish) -> String {
    let name = &wish.user;
    match change {
        Change::CreateGroup => format!("group {name} is gone"),
        Change::PutGroupPolicy { before: None } => format!("the policy of group {name} is gone"),
        Change::PutGroupPolicy { before: Some(_) } => format!("group {name} has its former policy"),
        Change::CreateUser => format!("user {name} is gone"),
        Change::PutBoundary { .. } => format!("user {name} has its former boundary"),
        Change::TagUser { .. } => format!("user {name} has its former tags"),
        Change::AddToGroup => format!("user {name} is out of group {name}"),
    }
}

fn difference_name(difference: &Difference) -> &'static str {
    match difference {
        Difference::Policy(_) => "the policy of the group",
        Difference::Tag { .. } => "a tag",
        Difference::Boundary { .. } => "the permissions boundary",
    }
}

fn difference_lines(difference: &Difference) -> Vec<String> {
    match difference {
        Difference::Policy(lines) => {
            let head = "differs: the policy of the group (- as it is, + as asked for)".to_owned();
            std::iter::once(head).chain(lines.iter().map(|line| format!("  {}", DiffLine::marked(line)))).collect()
        }
        Difference::Tag { name, is, wanted } => vec![format!("differs: tag {name} is {is:?}, asked for {wanted:?}")],
        Difference::Boundary { is, wanted } => vec![format!("differs: the boundary is {is}, asked for {wanted}")],
    }
}
