//! `akia cheatsheet`: the AWS CLI commands of each job.

use akia_core::cheatsheet::{Fill, Step, Topic, sheet};
use akia_core::{AccessKeyId, UserName};
use akia_io::profiles::{KeyHolder, holder_of_key};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use jiff::tz::TimeZone;

use crate::context::{Context, ProfileChoice};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Format, Report};

/// Show the AWS CLI commands for each job, with your own names filled in
///
/// Without a topic, the topics are listed. Key id, account and MFA device come from the profile in the AWS files; AWS
/// is not asked. The lines can be pasted into a POSIX shell.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia cheatsheet", "the topics"),
    ("akia cheatsheet rotate -p work", "how to rotate by hand, for profile `work`"),
    ("akia cheatsheet leak --user alice --key AKIAIOSFODNN7EXAMPLE", "what to do about a leaked key of alice's"),
]))]
pub struct CheatsheetArgs {
    /// Topic to show [default: list the topics]
    #[arg(value_name = "TOPIC", value_parser = topics())]
    pub topic: Option<Topic>,

    /// IAM user to fill in [default: yourself]
    #[arg(long, value_name = "NAME", requires = "topic")]
    pub user: Option<UserName>,

    /// Key to fill in [default: that of the profile]
    #[arg(long, value_name = "KEY-ID", requires = "topic")]
    pub key: Option<AccessKeyId>,
}

pub(crate) fn run(context: &Context, args: &CheatsheetArgs) -> Result<Exit, CommandError> {
    let Some(topic) = args.topic else {
        let mut report =
            Report::new("cheatsheet", "topics", vec![Column::whole("topic", "TOPIC"), Column::new("title", "JOB")]);
        for topic in Topic::ALL {
            report.push(vec![Cell::text(topic.as_str()), Cell::text(topic.title())]);
        }
        context.print(&report)?;
        return Ok(Exit::Done);
    };
    let steps = sheet(topic, &fill(context, args)?);
    match context.format() {
        Format::Table => context.print_text(&in_words(topic, &steps))?,
        Format::Json | Format::Csv => {
            let columns = vec![Column::new("comment", "COMMENT"), Column::new("command", "COMMAND")];
            let mut report = Report::new("cheatsheet", "steps", columns);
            report.fact("topic", topic.as_str());
            for step in &steps {
                let command = if step.command.is_empty() { Cell::empty() } else { Cell::text(step.shell()) };
                report.push(vec![Cell::text(&step.comment), command]);
            }
            context.print(&report)?;
        }
    }
    Ok(Exit::Done)
}

fn in_words(topic: Topic, steps: &[Step]) -> String {
    let mut text = format!("# {}\n", topic.title());
    for step in steps {
        text.push('\n');
        text.push_str(&step.render());
    }
    text
}

/// What the flags and the AWS files know. Files that cannot be read leave the documentation's examples in place.
fn fill(context: &Context, args: &CheatsheetArgs) -> Result<Fill, CommandError> {
    let choice = context.profile()?;
    let options = context.aws_options()?;
    let mut fill = Fill {
        profile: match &choice {
            ProfileChoice::Flag(name) | ProfileChoice::Environment(name) => Some(name.clone()),
            ProfileChoice::Default(_) => None,
        },
        region: options.region,
        endpoint_url: options.endpoint_url.map(String::from),
        user: args.user.clone(),
        acts_on_others: args.user.is_some(),
        key: args.key.clone(),
        now: Some(context.started_at),
        ..Fill::default()
    };
    let old = jiff::SignedDuration::from_hours(24 * i64::from(fill.max_age_days));
    fill.cutoff = context.started_at.checked_sub(old).ok().map(|at| TimeZone::UTC.to_datetime(at).date());
    match context.aws_files() {
        Ok(files) => {
            if let Some(profile) = files.profiles().find(choice.name()) {
                fill.mfa_serial.clone_from(&profile.mfa_serial);
                fill.region = fill.region.or_else(|| profile.region.clone());
                // The key of the profile is its own user's, and not that of the user who was named.
                if let (KeyHolder::File { id, .. }, None, None) =
                    (holder_of_key(files.profiles(), profile), &fill.key, &fill.user)
                {
                    fill.key = Some(id.clone());
                }
            }
        }
        Err(error) => context.say(&format!("note: examples are filled in, because {}", error.what)),
    }
    fill.account = fill.key.as_ref().and_then(AccessKeyId::account);
    Ok(fill)
}

fn topics() -> impl TypedValueParser<Value = Topic> {
    let values = Topic::ALL.map(|topic| PossibleValue::new(topic.as_str()).help(topic.title()));
    PossibleValuesParser::new(values).try_map(|name| name.parse::<Topic>())
}
