//! `akia service exit`: what would replace the key of a service. Only reads.

use std::path::{Path, PathBuf};

use akia_core::cheatsheet::Step;
use akia_core::contain::Footprint;
use akia_core::service::ServiceNaming;
use akia_core::service::exit::{Evidence, ExitSubject, Ranked, TrustSubject, Way, rank, steps, trust_policy};
use akia_core::usage::HISTORY;
use akia_core::{KeyStatus, Partition, UserName};
use akia_io::aws::{AwsError, Caller};
use akia_io::contain::{CASE_PAGES, footprint};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::audit::words::counted;
use crate::commands::service::ExitArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::forms::markdown;
use crate::keys::holders::Holders;
use crate::output::escape::visible;
use crate::output::{Cell, Column, Format, Report, Row, Tone};
use crate::signing::{self, Mfa};

/// A file that Markdown is written to.
///
/// # Errors
/// When its name says another form.
pub(crate) fn report_file(text: &str) -> Result<PathBuf, String> {
    if text.to_lowercase().ends_with(".md") {
        Ok(PathBuf::from(text))
    } else {
        Err("its name must end with .md; for JSON: --output json".to_owned())
    }
}

/// Runs the command.
///
/// # Errors
/// When there is no such user, or its keys cannot be listed.
pub(crate) async fn run(context: &Context, args: &ExitArgs) -> Result<Exit, CommandError> {
    let naming = args.config.load(context)?.settings.naming;
    let files = context.aws_files()?;
    let signed = signing::sign(context, &files, Mfa::IfGiven).await?;
    let user = find_user(&signed.caller, &args.name, &naming).await?;
    let whose = signing::whose(&signed, Some(&user)).await?;
    let keys = signed.caller.access_keys(Some(&user)).await;
    let keys = keys.map_err(|error| signing::refused(&format!("the keys of {user} cannot be listed"), &error))?;
    let active: Vec<_> = keys.into_iter().filter(|key| key.status == KeyStatus::Active).map(|key| key.id).collect();
    let partition = whose.caller.partition().unwrap_or(Partition::Aws);
    let regions = signing::trail_regions(&signed.caller, &whose.caller, &args.trail_regions);
    let since = context.started_at.checked_sub(HISTORY).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut evidence = Evidence { places: args.delivered_to.clone(), ..Evidence::default() };
    let mut trails = Vec::new();
    let holders = Holders::find(context, &files)?;
    for key in &active {
        let (trail, events) = footprint(&signed.caller, &regions, key, since, CASE_PAGES).await;
        for (counts, more) in [(&mut evidence.agents, &trail.agents), (&mut evidence.addresses, &trail.addresses)] {
            for (name, count) in more {
                *counts.entry(name.clone()).or_default() += count;
            }
        }
        evidence.through_endpoints +=
            events.iter().filter(|event| event.record["vpcEndpointId"].as_str().is_some()).count();
        if !holders.of(key).is_empty() {
            evidence.places.push("profile".to_owned());
        }
        trails.push(trail);
    }
    evidence.places.sort();
    evidence.places.dedup();
    let policies = signed.caller.authorization(&user).await;
    if let Err(error) = &policies {
        context.say(&format!("the rights of {user} could not be read: {error}"));
    }
    let subject = ExitSubject {
        user,
        keys: active,
        policies: policies.ok().and_then(|found| found.user),
        place: TrustSubject { partition, account: whose.account.clone(), region: signed.caller.region().to_string() },
    };
    let found = Found { ranked: rank(&evidence), evidence, trails, subject };
    found.tell(context);
    found.print(context, args)?;
    if let Some(path) = &args.write {
        write(path, &found.markdown(found.chosen(args)))?;
        context.say(&format!("written: {}", path.display()));
    }
    let is_whole = found.subject.policies.is_some() && found.trails.iter().all(Footprint::is_whole);
    Ok(if is_whole { Exit::Done } else { Exit::Partly })
}

/// The user of that name, with the prefix or without.
async fn find_user(caller: &Caller, name: &UserName, naming: &ServiceNaming) -> Result<UserName, CommandError> {
    for candidate in [naming.user(name.as_str()), Some(name.clone())].into_iter().flatten() {
        match caller.user(Some(&candidate)).await {
            Ok(user) => return Ok(user.name),
            Err(AwsError::NoSuchEntity { .. }) => {}
            Err(error) => return Err(signing::refused(&format!("user {candidate} cannot be read"), &error)),
        }
    }
    let prefix = &naming.prefix;
    Err(CommandError::failed(format_args!("there is no user {name} or {prefix}{name}")).next("akia service list"))
}

struct Found {
    ranked: Vec<Ranked>,
    evidence: Evidence,
    trails: Vec<Footprint>,
    subject: ExitSubject,
}

impl Found {
    fn chosen(&self, args: &ExitArgs) -> Way {
        let best = self.ranked.first().map_or(Way::RolesAnywhere, |one| one.way);
        args.way.unwrap_or(best)
    }

    /// What the ranking stands on.
    fn tell(&self, context: &Context) {
        let user = &self.subject.user;
        match self.subject.keys.len() {
            0 => context.say(&format!("{user} has no active key: there is nothing to replace")),
            _ => {
                let keys: Vec<String> = self.subject.keys.iter().map(ToString::to_string).collect();
                let calls: usize = self.trails.iter().map(|trail| trail.events).sum();
                context.say(&format!("{user}: {}; {} in 90 days", keys.join(" and "), counted(calls, "recorded call")));
            }
        }
        let shown = |what: &str, counts: &std::collections::BTreeMap<String, usize>| {
            let mut all: Vec<(&String, &usize)> = counts.iter().collect();
            all.sort_by(|a, b| b.1.cmp(a.1));
            for (name, count) in all.into_iter().take(5) {
                context.say(&format!("  {what} {name} ({count})"));
            }
        };
        shown("from", &self.evidence.addresses);
        shown("with", &self.evidence.agents);
        for trail in &self.trails {
            for region in &trail.regions {
                if let Some(reason) = region.events.reason() {
                    context.say(&format!("  CloudTrail in {} was not read: {reason}", region.region));
                }
            }
        }
        if self.evidence.places.is_empty() {
            context.say("  where it is delivered is not known; --delivered-to KIND says it (kubernetes, github-actions, env-file …)");
        } else {
            context.say(&format!("  delivered to: {}", self.evidence.places.join(", ")));
        }
        context.say(
            "CloudTrail's history has management events of some regions only: reads of S3 objects, say, are not in it.",
        );
    }

    fn print(&self, context: &Context, args: &ExitArgs) -> Result<(), CommandError> {
        let columns = vec![
            Column::whole("way", "WAY"),
            Column::whole("fit", "FIT"),
            Column::new("title", "WHAT"),
            Column::new("reasons", "WHY"),
        ];
        let mut report = Report::new("service-exit", "ways", columns);
        report.fact("user", json!(self.subject.user));
        report.fact("account", json!(self.subject.place.account));
        report.fact("access_keys", json!(self.subject.keys));
        report.fact("evidence", json!(self.evidence));
        report.fact("cloudtrail", self.trails.iter().map(|trail| json!(trail.regions)).collect::<Value>());
        for one in &self.ranked {
            let tone = if one.fit.as_str() == "clear" { Tone::Good } else { Tone::Plain };
            let mut row = Row::from(vec![
                Cell::text(one.way.as_str()),
                Cell::text(one.fit.as_str()).tone(tone),
                Cell::text(one.way.title()),
                Cell::list(&one.reasons).shown_as(one.reasons.join("; ")),
            ]);
            self.detail(&mut row, one.way);
            report.push(row);
        }
        // A way that nothing speaks for, and that somebody asks for all the same.
        if let Some(way) = args.way.filter(|way| self.ranked.iter().all(|one| one.way != *way)) {
            let mut row = Row::from(vec![
                Cell::text(way.as_str()),
                Cell::text("asked for"),
                Cell::text(way.title()),
                Cell::list([""; 0]),
            ]);
            self.detail(&mut row, way);
            report.push(row);
        }
        context.print(&report)?;
        if context.format() == Format::Table {
            context.print_text(&self.sheet(self.chosen(args)))?;
        }
        Ok(())
    }

    fn detail(&self, row: &mut Row, way: Way) {
        row.details.insert("trust_policy".into(), json!(trust_policy(way, &self.subject.place)));
        let steps: Vec<Value> = self
            .steps(way)
            .iter()
            .map(|step| json!({ "comment": step.comment, "command": Some(step.shell()).filter(|line| !line.is_empty()) }))
            .collect();
        row.details.insert("steps".into(), json!(steps));
    }

    fn steps(&self, way: Way) -> Vec<Step> {
        steps(way, &self.subject)
    }

    /// The steps of a way, for a terminal: names from outside cannot drive it.
    fn sheet(&self, way: Way) -> String {
        let mut text = format!("\n{}: {}\n", way.as_str(), way.title());
        if let Some(trust) = trust_policy(way, &self.subject.place) {
            text.push_str(&format!("\ntrust policy:\n{trust:#}\n"));
        }
        text.push('\n');
        self.steps(way).iter().for_each(|step| text.push_str(&step.render()));
        text.lines().map(|line| format!("{}\n", visible(line))).collect()
    }

    fn markdown(&self, way: Way) -> String {
        let subject = &self.subject;
        let mut text = format!(
            "# The way off the key of {}\n\nAccount {}. Nothing was changed.\n\n| way | fit | why |\n|---|---|---|\n",
            markdown::plain(subject.user.as_str()),
            subject.place.account
        );
        for one in &self.ranked {
            let reasons = markdown::plain(&one.reasons.join("; "));
            text.push_str(&format!("| {} | {} | {reasons} |\n", markdown::code(one.way.as_str()), one.fit.as_str()));
        }
        text.push_str(&format!("\n## {}\n", way.title()));
        if let Some(trust) = trust_policy(way, &subject.place) {
            text.push_str(&format!("\nThe trust policy of the role:\n\n```json\n{trust:#}\n```\n"));
        }
        for (index, step) in self.steps(way).iter().enumerate() {
            text.push_str(&format!("\n{}. {}\n", index + 1, markdown::plain(&step.comment)));
            let line = step.shell();
            if !line.is_empty() {
                text.push_str(&format!("\n   ```sh\n   {}\n   ```\n", visible(&line)));
            }
        }
        text
    }
}

fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    std::fs::write(path, text).map_err(|error| {
        CommandError::failed(format_args!("{} cannot be written: {error}", path.display()))
            .now("the ways are printed above; nothing was changed")
    })
}
