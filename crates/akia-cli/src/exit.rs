//! The exit codes of akia. Scripts depend on them: a code never changes its meaning, and `docs/exit-codes.md` is
//! generated from this page.

use std::process::ExitCode;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Everything that was asked for is done.
    Done = 0,
    /// It failed, and nothing was changed.
    Failed = 1,
    /// The command line or the settings make no sense.
    Usage = 2,
    /// Some parts are done and some are not; each is reported.
    Partly = 3,
    /// Findings at or above the threshold.
    Findings = 4,
    /// Interrupted at a safe point.
    Interrupted = 5,
    /// Only a person can decide how to go on.
    Decision = 6,
    /// A scan found nothing, and did not look at everything.
    Incomplete = 7,
}

impl Exit {
    /// Every code, in order. The rest up to 125 are reserved.
    pub const ALL: [Self; 8] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Partly,
        Self::Findings,
        Self::Interrupted,
        Self::Decision,
        Self::Incomplete,
    ];

    /// The number that the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// One line for the documentation: what is true after such a run.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "Done: everything that was asked for, which may have been nothing.",
            Self::Failed => "Failed, and nothing was changed, neither in AWS nor on this machine.",
            Self::Usage => {
                "Usage: the command line, an environment variable or a setting makes no sense. Nothing was tried."
            }
            Self::Partly => "Partly done: some of the parts succeeded, some did not, and each is reported.",
            Self::Findings => {
                "Findings: a check found something missing or wrong, at or above `--fail-on` where the command has it."
            }
            Self::Interrupted => "Interrupted, and safe: no key is lost. Run `akia resume`.",
            Self::Decision => {
                "A person's decision is needed: a question could not be asked, or only you can know the answer. Nothing is lost."
            }
            Self::Incomplete => {
                "Incomplete: nothing was found, and not everything was looked at; what was not is told."
            }
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_documented_numbers() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
