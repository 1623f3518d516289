//! What the user reads when a command could not do what was asked: what failed, what is true now, what to run next.

use std::fmt;
use std::io::Write;

use anstyle::{AnsiColor, Style};

use crate::exit::Exit;
use crate::output::escape::visible;

/// The error of a command. A command builds it from the error of a library; libraries never see it.
///
/// Its texts may quote names, paths and answers from outside: they are escaped when it is rendered. They must never
/// hold a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError {
    /// The code that the process ends with.
    pub exit: Exit,
    /// What failed, with the name of the thing: lower case, no full stop.
    pub what: String,
    /// What is true now, above all whether something was changed.
    pub now: Option<String>,
    /// What to run or to do next, one entry a line; commands can be pasted as they are.
    pub next: Vec<String>,
}

impl CommandError {
    /// An error that ends the process with this code.
    #[must_use]
    pub fn new(exit: Exit, what: impl fmt::Display) -> Self {
        Self { exit, what: what.to_string(), now: None, next: Vec::new() }
    }

    /// It failed, and nothing was changed.
    #[must_use]
    pub fn failed(what: impl fmt::Display) -> Self {
        Self::new(Exit::Failed, what).now("nothing was changed")
    }

    /// The command line or a setting makes no sense.
    #[must_use]
    pub fn usage(what: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// A person has to decide.
    #[must_use]
    pub fn decision(what: impl fmt::Display) -> Self {
        Self::new(Exit::Decision, what)
    }

    /// Says what is true now.
    #[must_use]
    pub fn now(mut self, now: impl Into<String>) -> Self {
        self.now = Some(now.into());
        self
    }

    /// Adds a next step.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next.push(next.into());
        self
    }

    /// The text for stderr, with a final line break. Line breaks and control characters of the parts are escaped.
    #[must_use]
    pub fn render(&self, colors: bool) -> String {
        let red = style(colors, AnsiColor::Red);
        let cyan = style(colors, AnsiColor::Cyan);
        let mut text = format!("{red}error:{red:#} {}\n", visible(&self.what));
        if let Some(now) = &self.now {
            text.push_str(&format!("  {cyan}now:{cyan:#} {}\n", visible(now)));
        }
        for (index, next) in self.next.iter().enumerate() {
            let label = if index == 0 { format!(" {cyan}next:{cyan:#}") } else { "      ".to_owned() };
            text.push_str(&format!("{label} {}\n", visible(next)));
        }
        text
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.render(false))
    }
}

impl std::error::Error for CommandError {}

/// Prints words on stderr as they are. Nothing can be done about a stderr that is gone.
pub fn print_words(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}

fn style(colors: bool, color: AnsiColor) -> Style {
    if colors { color.on_default().bold() } else { Style::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> CommandError {
        CommandError::new(Exit::Interrupted, "the rotation r-0123456789abcdef of profile \"work\" was interrupted")
            .now("both keys are active; profile \"work\" still holds AKIAIOSFODNN7EXAMPLE")
            .next("akia resume r-0123456789abcdef")
            .next("akia undo r-0123456789abcdef")
    }

    #[test]
    fn an_error_says_what_now_and_next() {
        insta::assert_snapshot!(example().render(false), @r#"
        error: the rotation r-0123456789abcdef of profile "work" was interrupted
          now: both keys are active; profile "work" still holds AKIAIOSFODNN7EXAMPLE
         next: akia resume r-0123456789abcdef
               akia undo r-0123456789abcdef
        "#);
    }

    #[test]
    fn colours_only_add_escapes() {
        let colored = example().render(true);
        assert!(colored.starts_with("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m "), "{colored:?}");
        assert_eq!(anstream::adapter::strip_str(&colored).to_string(), example().render(false));
    }

    #[test]
    fn what_came_from_outside_cannot_drive_the_terminal_or_fake_a_line() {
        let error = CommandError::failed("profile \"\u{1b}]0;owned\u{7}\nerror: fake\u{202e}\" is unknown");
        insta::assert_snapshot!(error.render(false), @r#"
        error: profile "\u{1b}]0;owned\u{7}\nerror: fake\u{202e}" is unknown
          now: nothing was changed
        "#);
    }
}
