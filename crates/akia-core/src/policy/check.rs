//! What the rights of a caller mean for each command: the pure part of `akia policy check`.

use super::action::{Action, Command, Need, required_actions};
use super::job::JobPolicy;

/// On whose keys a command works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reach {
    /// Only on the caller's own.
    Own,
    /// Only on those of another user, or on the account as a whole.
    Others,
    /// On either.
    Either,
    /// On no keys: it asks about the caller.
    Caller,
}

/// How a caller stands with one right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The caller has it.
    Allowed,
    /// The caller lacks it.
    Denied {
        /// What decided, where AWS says so.
        reason: Option<String>,
    },
    /// It could not be found out.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// What follows for a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Every right that it requires is there.
    Allowed,
    /// A right that it requires is missing.
    Lacking,
    /// None is known to be missing, and some could not be found out.
    Unknown,
}

impl Verdict {
    /// What these rights mean for a command that requires, or can do without, each of them.
    pub fn of<'a>(rights: impl IntoIterator<Item = (Need, &'a Standing)>) -> Self {
        let mut verdict = Self::Allowed;
        for (need, standing) in rights {
            match (need, standing) {
                (Need::Required, Standing::Denied { .. }) => return Self::Lacking,
                (Need::Required, Standing::Unknown { .. }) => verdict = Self::Unknown,
                (Need::Required, Standing::Allowed) | (Need::Optional, _) => {}
            }
        }
        verdict
    }
}

/// A word that is none of the commands that need rights.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is none of the commands that need rights in AWS; there are {}", list())]
pub struct UnknownCommand {
    /// The word, cut to 40 characters.
    pub word: String,
}

impl Command {
    /// On whose keys it works.
    #[must_use]
    pub fn reach(self) -> Reach {
        match self {
            Self::Setup | Self::Status | Self::Rotate => Reach::Own,
            Self::RotateOthers | Self::Audit | Self::Contain | Self::ScanSnapshot | Self::ScanUserData => Reach::Others,
            Self::SetupCreate
            | Self::Undo
            | Self::Retire
            | Self::KeyList
            | Self::KeyCreate
            | Self::KeyActivate
            | Self::KeyDeactivate
            | Self::KeyDelete
            | Self::KeyLastUsed => Reach::Either,
            Self::PolicyCheck => Reach::Caller,
        }
    }

    /// The policy that gives its rights on one's own keys, or on those of others. Where there is none, `akia policy` prints one under
    /// the command's own name.
    #[must_use]
    pub fn policy(self, own: bool) -> Option<JobPolicy> {
        match (self, own) {
            (Self::PolicyCheck | Self::Contain | Self::ScanSnapshot | Self::ScanUserData, _) => None,
            (Self::Audit, _) => Some(JobPolicy::Audit),
            (Self::Setup | Self::Status, _) => Some(JobPolicy::Status),
            (Self::Rotate, _) => Some(JobPolicy::RotateOwnKeys),
            (Self::RotateOthers, _) => Some(JobPolicy::RotateOthersKeys),
            (
                Self::SetupCreate
                | Self::Undo
                | Self::Retire
                | Self::KeyList
                | Self::KeyCreate
                | Self::KeyActivate
                | Self::KeyDeactivate
                | Self::KeyDelete
                | Self::KeyLastUsed,
                false,
            ) => Some(JobPolicy::RotateOthersKeys),
            (Self::SetupCreate | Self::KeyCreate, true) => Some(JobPolicy::CreateOwnKeys),
            (Self::Undo, true) => Some(JobPolicy::Undo),
            (Self::Retire, true) => Some(JobPolicy::Retire),
            (Self::KeyList | Self::KeyActivate | Self::KeyDeactivate | Self::KeyDelete | Self::KeyLastUsed, true) => {
                Some(JobPolicy::ManageOwnKeys)
            }
        }
    }

    /// Reads commands out of words as they are typed: `rotate`, `key list`, `"setup --create"`, `setup-create`, or `key`
    /// for all commands of that name. Each command comes once, in the order of the words.
    ///
    /// # Errors
    /// Names the first word that is none.
    pub fn of_words<S: AsRef<str>>(words: &[S]) -> Result<Vec<Self>, UnknownCommand> {
        let mut found = Vec::new();
        let mut rest = words;
        while let [first, after @ ..] = rest {
            let pair = after.first().map(|second| format!("{} {}", first.as_ref(), second.as_ref()));
            if let Some(command) = pair.as_deref().and_then(Self::named) {
                found.push(command);
                rest = &after[1..];
                continue;
            }
            let group = format!("{} ", first.as_ref());
            match Self::named(first.as_ref()) {
                Some(command) => found.push(command),
                None => {
                    let before = found.len();
                    found.extend(Self::ALL.into_iter().filter(|command| command.as_str().starts_with(&group)));
                    if found.len() == before {
                        return Err(UnknownCommand { word: first.as_ref().chars().take(40).collect() });
                    }
                }
            }
            rest = after;
        }
        let mut once = Vec::new();
        for command in found {
            if !once.contains(&command) {
                once.push(command);
            }
        }
        Ok(once)
    }

    fn named(words: &str) -> Option<Self> {
        let words = words.strip_prefix("akia ").unwrap_or(words);
        Self::ALL.into_iter().find(|command| {
            let name = command.as_str();
            name == words || name.replace(" --", "-").replace(' ', "-") == words
        })
    }

    /// The rights that it requires or uses.
    #[must_use]
    pub fn actions(self) -> &'static [Action] {
        required_actions(self)
    }
}

fn list() -> String {
    Command::ALL.map(Command::as_str).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{ScanSource, contain_policy, scan_policy};

    #[test]
    fn commands_are_read_as_they_are_typed() {
        let read = |words: &[&str]| Command::of_words(words).unwrap();
        assert_eq!(read(&["rotate", "undo", "rotate"]), [Command::Rotate, Command::Undo]);
        assert_eq!(read(&["key", "list", "key-delete"]), [Command::KeyList, Command::KeyDelete]);
        assert_eq!(read(&["setup --create", "akia policy check"]), [Command::SetupCreate, Command::PolicyCheck]);
        assert_eq!(read(&["setup", "status"]), [Command::Setup, Command::Status]);
        assert_eq!(read(&["rotate-user"]), [Command::RotateOthers]);
        assert_eq!(read(&["key"]).len(), 6);
        assert_eq!(read(&["scan", "contain"]), [Command::ScanSnapshot, Command::ScanUserData, Command::Contain]);
        assert_eq!(read(&[]), []);
        for command in Command::ALL {
            assert_eq!(read(&[command.as_str()]), [command]);
        }
    }

    #[test]
    fn a_word_that_is_none_is_named() {
        let error = Command::of_words(&["rotate", "key", "lst"]).unwrap_err().to_string();
        assert!(
            error.starts_with("\"lst\" is none of the commands that need rights in AWS; there are setup, setup --")
        );
        assert!(Command::of_words(&[""]).is_err());
    }

    #[test]
    fn a_missing_right_weighs_more_than_an_unknown_one_and_optional_ones_nothing() {
        let denied = Standing::Denied { reason: None };
        let unknown = Standing::Unknown { why: "no call shows it".into() };
        let of = |rights: &[(Need, &Standing)]| Verdict::of(rights.iter().copied());
        assert_eq!(of(&[(Need::Required, &Standing::Allowed), (Need::Optional, &denied)]), Verdict::Allowed);
        assert_eq!(of(&[(Need::Required, &unknown), (Need::Required, &Standing::Allowed)]), Verdict::Unknown);
        assert_eq!(of(&[(Need::Required, &unknown), (Need::Required, &denied)]), Verdict::Lacking);
        assert_eq!(of(&[]), Verdict::Allowed);
    }

    #[test]
    fn the_policy_of_a_command_holds_every_right_that_it_requires() {
        for command in Command::ALL {
            for own in [true, false] {
                let partition = crate::ids::Partition::Aws;
                let document = match (command.policy(own), command) {
                    (Some(job), _) => job.document(&crate::policy::PolicyOptions::default()),
                    (None, Command::Contain) => contain_policy(partition),
                    (None, Command::ScanSnapshot) => scan_policy(partition, &[ScanSource::Snapshots]),
                    (None, Command::ScanUserData) => scan_policy(partition, &[ScanSource::UserData]),
                    (None, _) => {
                        assert_eq!(command, Command::PolicyCheck, "the only command that does without a policy");
                        continue;
                    }
                };
                let grants: Vec<&str> =
                    document.statement.iter().flat_map(|s| s.action.as_slice()).map(|a| &**a).collect();
                assert!(!command.actions().is_empty(), "{}", command.as_str());
                for action in command.actions().iter().filter(|action| action.need == Need::Required) {
                    assert!(grants.contains(&action.name), "{} lacks {}", command.as_str(), action.name);
                }
            }
        }
    }
}
