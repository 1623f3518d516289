//! When, where and for what keys were used last.

use akia_core::cheatsheet::Operation;
use akia_core::{AccessKeyId, AccountId, LastUsed, UserName};
use akia_io::aws::AwsError;
use futures_util::future::join_all;
use serde_json::json;

use super::list::{use_cells, use_columns};
use super::stranger;
use super::subject::{Subject, connection};
use crate::aws_cli;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Format, Report, Row};
use crate::signing::{self, Mfa, Signed};

/// What came back for one key.
struct Answer {
    key: AccessKeyId,
    owner: Option<UserName>,
    used: LastUsed,
}

/// Runs `akia key last-used`.
///
/// # Errors
/// When nothing can be found out of any key.
pub async fn run(context: &Context, keys: &[AccessKeyId], user: Option<&UserName>) -> Result<Exit, CommandError> {
    for key in keys {
        stranger::refuse_temporary(key)?;
    }
    let (signed, account, asked) = asked(context, keys, user).await?;
    if context.globals.show_aws_cli {
        let by = connection(context, &signed);
        let step = |key: &AccessKeyId| aws_cli::step(&Operation::AccessKeyLastUsed { key: key.clone() }, &by);
        aws_cli::print(context, &asked.iter().map(step).collect::<Vec<_>>());
    }
    let answers = join_all(asked.iter().map(|key| ask(&signed, account.as_ref(), key, user))).await;
    let is_table = context.format() == Format::Table;
    let mut columns = vec![Column::whole("access_key", "ACCESS KEY"), Column::new("user", "USER")];
    columns.extend(use_columns(is_table));
    let mut report = Report::new("key-last-used", "keys", columns);
    for answer in &answers {
        let mut cells = vec![Cell::text(&answer.key), Cell::maybe(answer.owner.as_ref())];
        cells.extend(use_cells(context, &answer.used, is_table));
        let mut row = Row::from(cells);
        row.details.insert("last_used".into(), json!(answer.used));
        report.push(row);
    }
    context.print(&report)?;
    let mut unknown = 0;
    for answer in &answers {
        if let LastUsed::Unknown { reason } = &answer.used {
            unknown += 1;
            context.say(&format!("{}: {reason}", answer.key));
        }
    }
    if answers.is_empty() {
        context.say("the user has no access key");
    }
    Ok(match unknown {
        0 => Exit::Done,
        some if some < answers.len() => Exit::Partly,
        _ => Exit::Failed,
    })
}

/// The keys that were named, each once, else all of the user; who signs; and the account where it is known.
async fn asked(
    context: &Context,
    keys: &[AccessKeyId],
    user: Option<&UserName>,
) -> Result<(Signed, Option<AccountId>, Vec<AccessKeyId>), CommandError> {
    if keys.is_empty() {
        let subject = Subject::find(context, user, Mfa::IfGiven).await?;
        let mut listed = subject.keys().await?;
        listed.sort_by_key(|key| key.created_at);
        let asked = listed.into_iter().map(|key| key.id).collect();
        return Ok((subject.signed, Some(subject.whose.account), asked));
    }
    let files = context.aws_files()?;
    let signed = signing::sign(context, &files, Mfa::IfGiven).await?;
    let identity = signed.caller.caller_identity().await;
    let identity = identity.map_err(|error| signing::refused("whose key signs", &error))?;
    let mut asked: Vec<AccessKeyId> = Vec::new();
    for key in keys {
        if !asked.contains(key) {
            asked.push(key.clone());
        }
    }
    Ok((signed, Some(identity.account), asked))
}

async fn ask(signed: &Signed, account: Option<&AccountId>, key: &AccessKeyId, user: Option<&UserName>) -> Answer {
    let (owner, used) = match signed.caller.access_key_last_used(key).await {
        Ok((used, owner)) => match (user, &owner) {
            (Some(user), Some(owner)) if !user.as_str().eq_ignore_ascii_case(owner.as_str()) => {
                let reason = format!("it is a key of user {owner}, not of user {user}");
                (Some(owner.clone()), LastUsed::Unknown { reason })
            }
            (Some(_) | None, _) => (owner, used),
        },
        Err(error) => (None, LastUsed::Unknown { reason: reason(&error, account, key) }),
    };
    Answer { key: key.clone(), owner, used }
}

/// AWS does not say whether a key exists that is not the account's: it denies, even to administrators.
fn reason(error: &AwsError, account: Option<&AccountId>, key: &AccessKeyId) -> String {
    let strange = match (key.account(), account) {
        (Some(of), Some(ours)) if of != *ours => {
            format!("it is a key of account {of}, and this is account {ours}; ask with a profile of that account")
        }
        _ => "no such key in this account, or the right iam:GetAccessKeyLastUsed is missing".to_owned(),
    };
    match error {
        AwsError::AccessDenied { .. } | AwsError::NoSuchEntity { .. } => format!("{strange} ({error})"),
        error => error.to_string(),
    }
}
