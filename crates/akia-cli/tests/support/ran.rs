//! A program that ran to its end, and what a test asks of it.

use serde_json::Value;

/// What a program left: exit code, standard output, standard error.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The command as one would type it.
    pub(crate) what: String,
    /// The exit code; the negative signal number when a signal ended it.
    pub(crate) code: i64,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(super) fn from_lab(what: String, answer: &Value) -> Ran {
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Ran { what, code: answer["code"].as_i64().unwrap(), stdout: text("stdout"), stderr: text("stderr") }
    }

    /// Exit code 0, or a panic that shows all output.
    #[track_caller]
    pub(crate) fn done(self) -> Ran {
        self.exited(0)
    }

    /// This exit code, or a panic that shows all output.
    #[track_caller]
    pub(crate) fn exited(self, code: i64) -> Ran {
        assert!(
            self.code == code,
            "`{}` exited with {} instead of {code}\n--- stdout\n{}\n--- stderr\n{}",
            self.what,
            self.code,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("`{}` printed no JSON ({error}):\n{}\n{}", self.what, self.stdout, self.stderr)
        })
    }

    /// The code of the error that the AWS CLI reports: `An error occurred (CODE) when calling …`.
    #[track_caller]
    pub(crate) fn refusal(&self) -> &str {
        let (_, rest) = self
            .stderr
            .rsplit_once("An error occurred (")
            .unwrap_or_else(|| panic!("`{}` was not refused:\n{}\n{}", self.what, self.stdout, self.stderr));
        rest.split_once(')').unwrap().0
    }
}
