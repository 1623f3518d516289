//! `akia doctor`: whether an audit would get through, and what is missing where.

use std::collections::BTreeMap;

use akia_core::AccountId;
use akia_core::estate::report::CredentialReport;
use akia_core::policy::{Command, ResourceForm, required_actions};
use akia_io::aws::{AwsError, Caller, Right};
use akia_io::organization::{Door, Doors};
use clap::Args;
use futures_util::StreamExt as _;
use serde_json::json;

use crate::audit::words::{counted, thousands};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::organization::{Hub, OrganizationArgs};
use crate::output::{Cell, Column, Format, Report, Row, Tone};
use crate::progress::{Progress, is_told};
use crate::signing::{self, Mfa};

/// Accounts that are looked at at the same time.
const AT_ONCE: usize = 64;
/// Accounts that a table names.
const SHOWN: usize = 3;

/// Say what an audit lacks: in one account, or in every account of the organisation
///
/// Tries every call of an audit in the account of the profile; with --org it enters every account of the organisation as
/// `akia audit --org` does. Nothing is changed. What is missing is told together for all accounts that lack the same, with
/// the command that mends it.
///
/// A right that there is nothing to try it on (the last use of a key, where nobody holds one) is shown as not tried.
///
/// The exit code is 0 where nothing is missing, 4 where something is, and 3 where something could not be found out.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia doctor", "the account of the default profile"),
    ("akia doctor --org --external-id example-id", "every account of the organisation"),
    ("akia doctor --org --ou production --output json", "one unit, with all account numbers"),
]))]
pub struct DoctorArgs {
    /// The accounts of an organisation.
    #[command(flatten)]
    pub organization: OrganizationArgs,
}

/// What is to be said of a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Missing,
    Unknown,
    /// There is nothing to try it on; no trouble, and no proof either.
    NotTried,
}

/// Something that is missing, cannot be told, or was not tried.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Trouble {
    state: State,
    right: String,
    detail: String,
    fix: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When there are no credentials, or the organisation cannot be looked at.
pub(crate) async fn run(context: &Context, args: DoctorArgs) -> Result<Exit, CommandError> {
    let mut by_trouble: BTreeMap<Trouble, Vec<AccountId>> = BTreeMap::new();
    let mut of = 0;
    let mut sound = 0;
    let mut note = |account: AccountId, troubles: Vec<Trouble>| {
        of += 1;
        sound += usize::from(troubles.iter().all(|trouble| trouble.state == State::NotTried));
        for trouble in troubles {
            by_trouble.entry(trouble).or_default().push(account.clone());
        }
    };
    if args.organization.org {
        let hub = Hub::open(context, &args.organization, false).await?;
        let doors = Doors::new(&hub.signed.caller, &hub.entry);
        let line = Progress::new(context).line("accounts");
        let count = hub.chosen.accounts.len();
        let mend = role_command(&hub);
        let looked = hub.chosen.accounts.iter().map(|account| look_in(&doors, &account.id, &mend));
        let mut answers = futures_util::stream::iter(looked).buffer_unordered(AT_ONCE);
        let mut done = 0;
        while let Some((account, troubles)) = answers.next().await {
            note(account, troubles);
            done += 1;
            if is_told(done, count, 10) {
                line.step(&format!("{} of {} looked at", thousands(done), thousands(count)));
            }
        }
        line.finish(&format!("{} looked at", thousands(count)));
    } else {
        let files = context.aws_files()?;
        let signed = signing::sign(context, &files, Mfa::IfGiven).await?;
        let identity = signed.caller.caller_identity().await;
        let identity = identity.map_err(|error| signing::refused("whose account it is cannot be found out", &error))?;
        note(identity.account, examine(&signed.caller).await);
    }
    print(context, of, sound, by_trouble)
}

async fn look_in(doors: &Doors<'_>, account: &AccountId, mend: &str) -> (AccountId, Vec<Trouble>) {
    let troubles = match doors.open(account).await {
        Err(error) => vec![Trouble {
            state: if matches!(error, AwsError::AccessDenied { .. }) { State::Missing } else { State::Unknown },
            right: "sts:AssumeRole".to_owned(),
            detail: doors.refusal(account, &error),
            fix: Some(mend.to_owned()),
        }],
        Ok(door) => {
            let through = doors.through(&door);
            let troubles = examine(through.caller()).await;
            if let Door::Session(credentials) = &door {
                through.caller().aws().forget(credentials.key());
            }
            troubles
        }
    };
    (account.clone(), troubles)
}

/// Tries every call of an audit.
async fn examine(caller: &Caller) -> Vec<Trouble> {
    // Somebody to ask about, where anybody is known: who holds a key before others.
    let holder = match caller.credential_report().await {
        Ok(report) => CredentialReport::parse(&report.csv).ok().and_then(|report| {
            let mut users = report.users.into_iter();
            users.find_map(|(arn, row)| (!row.slots.is_empty()).then_some(arn.name))
        }),
        Err(_) => None,
    };
    let user = match holder {
        Some(holder) => Some(holder),
        None => caller.user_details().await.ok().and_then(|users| users.into_keys().next()),
    };
    let mut troubles = Vec::new();
    for action in required_actions(Command::Audit) {
        let not_tried = |why: &str| Trouble {
            state: State::NotTried,
            right: action.name.to_owned(),
            detail: why.to_owned(),
            fix: None,
        };
        let is_about_a_key = action.name == "iam:GetAccessKeyLastUsed";
        if user.is_none() && action.resource == ResourceForm::User {
            troubles.push(not_tried(if is_about_a_key { "no key to ask about" } else { "no user to ask about" }));
            continue;
        }
        let (state, detail, fix) = match caller.probe(action.name, user.as_ref()).await {
            Right::Allowed => continue,
            Right::Denied { reason } => {
                let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
                (State::Missing, format!("{}{reason}", action.why), Some("akia policy audit".to_owned()))
            }
            // A user without keys tells nothing of it.
            Right::Unknown { .. } if is_about_a_key => {
                troubles.push(not_tried("no key to ask about"));
                continue;
            }
            Right::Unknown { why } => (State::Unknown, why, None),
        };
        troubles.push(Trouble { state, right: action.name.to_owned(), detail, fix });
    }
    troubles
}

/// The command that prints the role which the accounts lack.
fn role_command(hub: &Hub) -> String {
    let quote = akia_core::cheatsheet::quote;
    let entry = &hub.entry;
    let mut command = format!("akia policy audit --template stackset --hub {}", entry.own);
    if let Some(id) = &entry.external_id {
        command.push_str(&format!(" --external-id {}", quote(id)));
    }
    if entry.role_name != crate::organization::ROLE_NAME {
        command.push_str(&format!(" --role-name {}", quote(&entry.role_name)));
    }
    command
}

fn print(
    context: &Context,
    of: usize,
    sound: usize,
    troubles: BTreeMap<Trouble, Vec<AccountId>>,
) -> Result<Exit, CommandError> {
    let columns = vec![
        Column::whole("state", "STATE"),
        Column::whole("right", "RIGHT"),
        Column::new("accounts", "ACCOUNTS"),
        Column::new("detail", "DETAIL"),
        Column::new("command", "FIX"),
    ];
    let mut report = Report::new("doctor", "troubles", columns);
    report.fact("accounts_looked_at", of);
    report.fact("accounts_sound", sound);
    let is_missing = troubles.keys().any(|trouble| trouble.state == State::Missing);
    let is_unknown = troubles.keys().any(|trouble| trouble.state == State::Unknown);
    for (trouble, mut accounts) in troubles {
        accounts.sort();
        let (word, tone) = match trouble.state {
            State::Missing => ("missing", Tone::Bad),
            State::Unknown => ("unknown", Tone::Warning),
            State::NotTried => ("not tried", Tone::Quiet),
        };
        let names: Vec<&str> = accounts.iter().take(SHOWN).map(AccountId::as_str).collect();
        let more = accounts.len() - names.len();
        let more = if more > 0 { format!(" and {} more", thousands(more)) } else { String::new() };
        let mut row = Row::from(vec![
            Cell::text(word).tone(tone),
            Cell::text(&trouble.right),
            Cell::text(format!("{}{more}", names.join(", "))),
            Cell::text(&trouble.detail),
            Cell::maybe(trouble.fix.as_ref()),
        ]);
        row.details.insert("accounts".into(), json!(accounts));
        report.push(row);
    }
    // An empty table says nothing that the line below does not.
    if context.format() != Format::Table || !report.rows().is_empty() {
        context.print(&report)?;
    }
    context.say(&format!("nothing is missing in {} of {}", thousands(sound), counted(of, "account")));
    Ok(match (is_missing, is_unknown) {
        (true, _) => Exit::Findings,
        (false, true) => Exit::Partly,
        (false, false) => Exit::Done,
    })
}
