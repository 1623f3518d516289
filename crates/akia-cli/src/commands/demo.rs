//! `akia demo`: a rotation from start to end on the sandbox.
//!
//! Invariant: what is shown is true. The commands are run as they are typed, by this very program in an environment of
//! their own; what changed is read from the files and asked of the sandbox, and a demo that finds anything else than
//! it promises fails.

use std::path::Path;
use std::pin::Pin;
use std::process::Stdio;
use std::time::{Duration, Instant};

use akia_sandbox::{KeyInfo, Propagation};
use anstyle::{AnsiColor, Style};
use clap::Args;
use serde_json::json;
use tokio::process::Command;

use crate::args::globals::ColorWhen;
use crate::context::{Context, Environment};
use crate::drive;
use crate::error::{self, CommandError};
use crate::exit::Exit;
use crate::output::{Cell, Column, Format, Report, Row, Tone};
use crate::practice::{self, Changes, Scene, World, read_both};

/// See a rotation from start to end on a made-up AWS, in seconds
///
/// Makes up AWS files in a temporary folder, shows their status, rotates every profile against the built-in sandbox,
/// shows the status again and the difference in the files: only the values changed. Nothing of yours is touched, and
/// no network is needed.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia demo", "see it"),
    ("akia demo --keep", "and look at the files afterwards"),
]))]
pub struct DemoArgs {
    /// Leave the folder behind and say where it is
    #[arg(long)]
    pub keep: bool,
}

/// How long a command may take to stop after Ctrl-C.
const PATIENCE: Duration = Duration::from_secs(5);

/// Variables that say how to talk to this terminal; nothing else is passed on. Windows starts no program without
/// the last.
const PASSED_ON: [&str; 9] =
    ["TERM", "COLORTERM", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "LANG", "LC_ALL", "LC_CTYPE", "SystemRoot"];

/// Runs the command.
///
/// # Errors
/// When the world cannot be made, or something else came out than what is promised.
pub(crate) async fn run(context: &Context, args: DemoArgs) -> Result<Exit, CommandError> {
    // Whoever ends it early must not leave the folder behind.
    let ending = drive::ending().await;
    let folder = practice::temporary_folder("akia-demo-");
    let folder = folder.map_err(|error| {
        CommandError::failed(format_args!("no temporary folder could be made: {error}"))
            .next("set TMPDIR to a folder that can be written")
    })?;
    let shown = show(context, folder.path(), ending).await;
    if args.keep {
        let path = folder.keep();
        context.say(&format!("the folder stays: {}", path.display()));
    } else if let Err(error) = folder.close() {
        context.say(&format!("the temporary folder could not be removed: {error}"));
    }
    shown
}

/// The demo, in a folder that somebody else removes.
async fn show(context: &Context, folder: &Path, ending: Ending) -> Result<Exit, CommandError> {
    let began = Instant::now();
    let world = World::start(Scene::Demo, Propagation::realistic(), 0, folder).await?;
    let mut stage = Stage { context, world: &world, ending };
    let before = (read_both(folder)?, world.keys());

    stage.tell(&format!(
        "A made-up AWS answers at {}, a made-up ~/.aws lies in\n{}. Yours is neither read nor changed.\n",
        world.url(),
        folder.display(),
    ))?;
    stage
        .scene("Three users and six profiles: four hold a key, two of them the same one; two keys are due", &["status"])
        .await?;
    stage
        .scene(
            "New keys for all of them; as on AWS, a new key takes seconds to work",
            &["rotate", "--all-profiles", "--yes"],
        )
        .await?;
    stage.scene("The same profiles, new keys", &["status"]).await?;

    stage.title("What changed in the files: the values, and not one byte besides")?;
    let mut changed = Vec::new();
    for ((name, old), (_, new)) in before.0.iter().zip(&read_both(folder)?) {
        let changes = Changes::between(old, new);
        stage.tell(&format!("~/{name}\n{}", changes.render(context.terminal.stdout_colors)))?;
        changed.push((*name, changes));
    }
    judge_files(&changed)?;

    stage.title("What AWS itself says: the old keys are shut, not gone")?;
    let after = world.keys();
    judge_keys(&before.1, &after)?;
    let mut report = keys_report(context, &before.1, &after);
    let files = changed.iter().map(|(name, changes)| {
        json!({ "name": name, "lines": changes.lines, "values_changed": changes.values, "other_changes": changes.others })
    });
    report.fact("files", files.collect::<Vec<_>>());
    report.fact("calls", world.calls());
    context.print(&report)?;

    let seconds = began.elapsed().as_secs();
    stage.tell(&closing(context, &format!("Done in {seconds} s, with {} calls to AWS.", world.calls())))?;
    world.stop().await;
    Ok(Exit::Done)
}

/// Where the demo plays.
struct Stage<'a> {
    context: &'a Context,
    world: &'a World,
    ending: Ending,
}

type Ending = Pin<Box<dyn Future<Output = bool> + Send>>;

impl Stage<'_> {
    /// A title, a command as one would type it, and what it prints.
    async fn scene(&mut self, title: &str, words: &[&str]) -> Result<(), CommandError> {
        self.title(title)?;
        let cyan = style(self.context, AnsiColor::Cyan.on_default());
        self.tell(&format!("{cyan}$ akia {}{cyan:#}\n", words.join(" ")))?;
        let status = self.act(words).await?;
        if status != Some(0) {
            let code = status.map_or_else(|| "was ended by a signal".to_owned(), |code| format!("ended with {code}"));
            return Err(CommandError::failed(format_args!("`akia {}` {code}", words.join(" ")))
                .now("only the made-up files and the made-up AWS were touched"));
        }
        Ok(())
    }

    fn title(&self, title: &str) -> Result<(), CommandError> {
        let bold = style(self.context, Style::new().bold());
        self.tell(&format!("\n{bold}{title}{bold:#}\n"))
    }

    /// Words of the demo. They are its data, unless other data was asked for.
    fn tell(&self, text: &str) -> Result<(), CommandError> {
        if self.context.format() == Format::Table {
            return self.context.print_text(text);
        }
        error::print_words(text);
        Ok(())
    }

    /// Runs this program with these words; the exit code, if it was not ended by a signal.
    async fn act(&mut self, words: &[&str]) -> Result<Option<i32>, CommandError> {
        let failed = |error| CommandError::failed(format_args!("akia cannot run itself: {error}"));
        let mut command = Command::new(Environment::executable().map_err(failed)?);
        command.args(words).env_clear().envs(self.world.variables()).env("HOME", self.world.folder());
        for name in PASSED_ON {
            if let Some(value) = self.context.environment.raw(name) {
                command.env(name, value);
            }
        }
        if let Some(color) = self.context.globals.color {
            command.args([
                "--color",
                if color == ColorWhen::On {
                    "on"
                } else if color == ColorWhen::Off {
                    "off"
                } else {
                    "auto"
                },
            ]);
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        if self.context.format() != Format::Table {
            command.stdout(std::io::stderr());
        }
        let mut child = command.spawn().map_err(failed)?;
        tokio::select! {
            ended = child.wait() => Ok(ended.map_err(failed)?.code()),
            true = &mut self.ending => {
                // Ctrl-C reached the child as well, and it knows what to do. A signal to this process alone did not.
                if tokio::time::timeout(PATIENCE, child.wait()).await.is_err() {
                    child.kill().await.map_err(failed)?;
                }
                Err(CommandError::new(Exit::Interrupted, "the demo was interrupted")
                    .now("the made-up AWS is gone; nothing of yours was touched"))
            }
        }
    }
}

/// Each changed line must have got a new key id or secret, and nothing else.
fn judge_files(changed: &[(&str, Changes)]) -> Result<(), CommandError> {
    for (name, changes) in changed {
        if changes.others > 0 {
            return Err(unlike(format!("{} lines of {name} changed in more than a value", changes.others)));
        }
    }
    if changed.iter().all(|(_, changes)| changes.values == 0) {
        return Err(unlike("no file has changed".to_owned()));
    }
    Ok(())
}

/// Each key that was there must be inactive, and each user must have one new key that is active.
fn judge_keys(before: &[KeyInfo], after: &[KeyInfo]) -> Result<(), CommandError> {
    for old in before {
        let now: Vec<&KeyInfo> =
            after.iter().filter(|key| (&key.account, &key.user) == (&old.account, &old.user)).collect();
        let shut = now.iter().any(|key| key.id == old.id && !key.active);
        let active = now.iter().filter(|key| key.active && key.id != old.id).count();
        if !shut || active != 1 {
            let user = old.user.as_deref().unwrap_or("root");
            return Err(unlike(format!("user {user} has {active} new active keys, and {} is not shut", old.id)));
        }
    }
    Ok(())
}

fn unlike(what: String) -> CommandError {
    CommandError::failed(format_args!("the demo did not come out as it should: {what}"))
        .now("only the made-up files and the made-up AWS were touched")
        .next("report it: this is a fault of akia")
}

fn keys_report(context: &Context, before: &[KeyInfo], after: &[KeyInfo]) -> Report {
    let columns = vec![
        Column::new("account", "ACCOUNT"),
        Column::new("user", "USER"),
        Column::whole("access_key", "KEY"),
        Column::new("status", "STATUS"),
        Column::whole("created_at", "AGE"),
    ];
    let mut report = Report::new("demo", "keys", columns);
    for key in after {
        let (status, tone) = if key.active { ("Active", Tone::Good) } else { ("Inactive", Tone::Quiet) };
        let mut row = Row::from(vec![
            Cell::text(&key.account),
            Cell::maybe(key.user.as_ref()),
            Cell::text(&key.id),
            Cell::text(status).tone(tone),
            Cell::age(key.created_at, context.started_at),
        ]);
        row.details.insert("displaced".into(), json!(before.iter().any(|old| old.id == key.id)));
        report.push(row);
    }
    report
}

fn closing(context: &Context, done: &str) -> String {
    let bold = style(context, Style::new().bold());
    let cyan = style(context, AnsiColor::Cyan.on_default());
    let mut text = format!(
        "\n{bold}{done} Why nobody can be locked out{bold:#}\n\
         - Every step is written to a journal before it is taken: killed at any\n  \
           moment, `akia resume` goes on.\n\
         - A new secret is stored before it is used, and the new key proven before a\n  \
           file is touched.\n\
         - The old keys work until every profile has a new one. They may be deleted\n  \
           after 7 days; until then, `akia undo` brings them back, in AWS and in the\n  \
           files.\n\
         \n{bold}Next{bold:#}\n"
    );
    for (command, what) in [
        ("akia sandbox", "such an AWS to try out yourself, with the AWS CLI too"),
        ("akia status", "your own profiles; asks AWS, changes nothing"),
        ("akia rotate --dry-run", "what it would do to your default profile"),
    ] {
        text.push_str(&format!("  {cyan}{command:<23}{cyan:#}{what}\n"));
    }
    text
}

fn style(context: &Context, style: Style) -> Style {
    if context.terminal.stdout_colors { style } else { Style::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Globals;
    use crate::context::Terminal;

    #[test]
    fn the_closing_words_fit_80_columns() {
        let context = Context::new(Environment::default(), Terminal::default(), Globals::default()).unwrap();
        let words = closing(&context, "Done in 10 s, with 100 calls to AWS.");
        let long: Vec<&str> = words.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(long.is_empty(), "{long:#?}");
    }
}
