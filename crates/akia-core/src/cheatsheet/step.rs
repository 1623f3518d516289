//! One step of a sheet: words for a person, and at most one command.

use super::shell;

/// A comment and the command that it explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What the command does, and what to look out for.
    pub comment: String,
    /// The words of the command, unquoted; empty where there is nothing to run.
    pub command: Vec<String>,
    /// Where the output goes.
    pub output: Output,
    /// Which AWS CLI knows the command.
    pub cli: CliVersion,
}

/// Where the output of a command goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Onto the terminal: it holds no secret.
    Shown,
    /// Into a file that only the caller can read: it holds a secret.
    Private {
        /// The file.
        file: String,
    },
    /// Base64 on stdout, decoded into a file.
    Decoded {
        /// The file.
        file: String,
    },
    /// `NAME=value …` on stdout, into the environment of the running shell. `export` is built in, so no process list shows it.
    Exported,
}

/// Which AWS CLI knows a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CliVersion {
    /// Versions 1 and 2.
    Any,
    /// Version 2 only.
    V2,
}

impl Step {
    /// A step that shows its output and runs with every AWS CLI.
    #[must_use]
    pub fn new<S: Into<String>>(comment: impl Into<String>, command: impl IntoIterator<Item = S>) -> Self {
        Self {
            comment: comment.into(),
            command: command.into_iter().map(Into::into).collect(),
            output: Output::Shown,
            cli: CliVersion::Any,
        }
    }

    /// The same command under another comment.
    #[must_use]
    pub fn explained(self, comment: impl Into<String>) -> Self {
        Self { comment: comment.into(), ..self }
    }

    /// The command line for a POSIX shell, without the comment; empty where there is nothing to run.
    #[must_use]
    pub fn shell(&self) -> String {
        let line = shell::line(&self.command);
        if line.is_empty() {
            return line;
        }
        match &self.output {
            Output::Shown => line,
            Output::Private { file } => format!("(umask 077 && {line} > {})", shell::quote(file)),
            Output::Decoded { file } => format!("{line} | base64 --decode > {}", shell::quote(file)),
            Output::Exported => format!("export $({line})"),
        }
    }

    /// The step as a sheet shows it: the comment in lines of `#`, then the command line. It ends with a line break.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = wrap(&self.comment, 98).into_iter().map(|line| format!("# {line}\n")).collect::<String>();
        if self.cli == CliVersion::V2 {
            text += "# (AWS CLI version 2 only)\n";
        }
        if !self.command.is_empty() {
            text += &self.shell();
            text += "\n";
        }
        text
    }
}

/// Words in lines of at most `width` characters; a longer word gets its own line.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_into_a_file_or_the_environment() {
        let step = |output| Step { output, ..Step::new("Make it.", ["aws", "x y"]) };
        assert_eq!(step(Output::Shown).render(), "# Make it.\naws 'x y'\n");
        assert_eq!(step(Output::Private { file: "a b".into() }).shell(), "(umask 077 && aws 'x y' > 'a b')");
        assert_eq!(step(Output::Decoded { file: "r.csv".into() }).shell(), "aws 'x y' | base64 --decode > r.csv");
        assert_eq!(step(Output::Exported).shell(), "export $(aws 'x y')");
        assert_eq!(Step::new("Only words.", [""; 0]).render(), "# Only words.\n");
    }

    #[test]
    fn long_comments_are_wrapped_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("extraordinary a", 4), ["extraordinary", "a"]);
        assert!(wrap("", 4).is_empty());
    }
}
