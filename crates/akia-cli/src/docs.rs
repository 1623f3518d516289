//! The generated part of the documentation: a page for each command, the exit codes, and the manual.

use std::io;
use std::path::Path;

use crate::error::CommandError;
use crate::exit::Exit;

/// A generated file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Path below the folder that it is written to, with `/` between its parts.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Every generated page of `docs/`, in a stable order.
#[must_use]
pub fn pages() -> Vec<Page> {
    let mut root = built_command();
    let mut index = String::from(
        "# Commands\n\nGenerated from `--help` by `akia generate-docs`; do not edit.\n\n| command | what it does |\n|---|---|\n",
    );
    let mut pages = Vec::new();
    for verb in root.get_subcommands_mut().filter(|verb| is_documented(verb)) {
        let name = verb.get_name().to_owned();
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        index.push_str(&format!("| [`akia {name}`]({name}.md) | {about} |\n"));
        let mut text = String::new();
        section(verb, &format!("akia {name}"), 1, &mut text);
        pages.push(Page { name: format!("commands/{name}.md"), text });
    }
    pages.push(Page { name: "commands/README.md".to_owned(), text: index });
    pages.push(Page { name: "exit-codes.md".to_owned(), text: exit_codes() });
    pages
}

/// The manual: `akia.1` and a page for each command and its parts, `akia-key-list.1`.
///
/// # Errors
/// When a page cannot be rendered.
pub fn manual() -> io::Result<Vec<Page>> {
    let mut pages = Vec::new();
    manual_of(&crate::command(), "akia", &mut pages)?;
    Ok(pages)
}

/// Writes pages below a folder, which is made if it is missing.
///
/// # Errors
/// Names the file that could not be written.
pub fn write(folder: &Path, pages: &[Page]) -> Result<(), CommandError> {
    for (index, page) in pages.iter().enumerate() {
        let path = folder.join(&page.name);
        let written =
            path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, &page.text));
        written.map_err(|error| {
            let what = format!("{} cannot be written: {error}", path.display());
            if index == 0 {
                CommandError::failed(what)
            } else {
                CommandError::new(Exit::Partly, what).now(format!("{index} of {} pages are written", pages.len()))
            }
        })?;
    }
    Ok(())
}

/// The command with names and usage lines filled in, at a fixed width.
fn built_command() -> clap::Command {
    let mut command = crate::command().term_width(100);
    command.build();
    command
}

fn is_documented(command: &clap::Command) -> bool {
    !command.is_hide_set() && command.get_name() != "help"
}

fn section(command: &mut clap::Command, path: &str, level: usize, text: &mut String) {
    let help = command.render_long_help().to_string();
    let help: String = help.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    text.push_str(&format!("{} {path}\n\n```text\n{}\n```\n", "#".repeat(level), help.trim_end()));
    for verb in command.get_subcommands_mut().filter(|verb| is_documented(verb)) {
        let path = format!("{path} {}", verb.get_name());
        text.push('\n');
        section(verb, &path, level + 1, text);
    }
}

fn exit_codes() -> String {
    let mut text = String::from(
        "# Exit codes\n\nGenerated from `exit.rs` by `akia generate-docs`; do not edit. A code never changes its meaning.\n\n\
         | code | meaning |\n|---|---|\n",
    );
    for exit in Exit::ALL {
        text.push_str(&format!("| {} | {} |\n", exit.code(), exit.meaning()));
    }
    text.push_str("\nThe codes 8 to 125 are reserved.\n");
    text
}

fn manual_of(command: &clap::Command, path: &str, pages: &mut Vec<Page>) -> io::Result<()> {
    // clap keeps names for the whole run unless its feature `string` is on; these are some thirty, once.
    let title: &'static str = String::leak(path.to_owned());
    let command = command.clone().name(title).display_name(title);
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    pages.push(Page { name: format!("{path}.1"), text: String::from_utf8_lossy(&page).into_owned() });
    for verb in command.get_subcommands().filter(|verb| is_documented(verb)) {
        manual_of(verb, &format!("{path}-{}", verb.get_name()), pages)?;
    }
    Ok(())
}
