//! What each profile stands on and what is due: the files, AWS's answers and the journal put together.
//!
//! Invariant: nothing is made up. What AWS did not say is absent, an unknown last use is never due as unused, and a
//! key that somebody has to decide about is named by the rule that found it, once.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::ids::{AccessKeyId, AccountId, ProfileName, RotationId, UserArn};
use crate::key::{AccessKey, KeyStatus, LastUsed};
use crate::profile::{FileKind, KeyHalf, Profile, ProfileKind, Profiles, Trouble};
use crate::rotation::{Place, Rest, Rotation};

/// A key that was not used for this long is due, whatever its age: the limit of the CIS benchmark is 45 days, that of
/// AWS's own Security Hub control 90.
pub const UNUSED_LIMIT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Everything that the rules look at.
#[derive(Debug, Clone, Copy)]
pub struct Inventory<'a> {
    /// The profiles of both files.
    pub profiles: &'a Profiles,
    /// What came back for each profile whose key AWS was asked about. Profiles that share a key id may differ in the
    /// secret, and so in the answer.
    pub answers: &'a BTreeMap<ProfileName, Answer>,
    /// The rotations of the journal.
    pub rotations: &'a [Rotation],
    /// Age from which a key is due.
    pub max_age: SignedDuration,
    /// Now.
    pub now: Timestamp,
}

/// What came back for one key.
pub type Answer = Result<Told, Failure>;

/// What AWS told about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its account.
    pub account: AccountId,
    /// Whose it is.
    pub owner: Owner,
    /// All long-term keys of its owner. Empty for temporary credentials.
    pub keys: Result<Vec<AccessKey>, Failure>,
    /// Its last use.
    pub last_used: LastUsed,
}

/// Who a key belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// An IAM user.
    User(UserArn),
    /// The root user of the account.
    Root,
    /// A role session, a federated user, or what an emulator invented; the ARN.
    Other(String),
}

impl Owner {
    /// The name that a person knows it by.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::User(arn) => arn.name.as_str(),
            Self::Root => "root",
            Self::Other(arn) => arn.rsplit(':').next().unwrap_or(arn),
        }
    }
}

/// Why AWS told nothing, or not all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Failure {
    /// The kind.
    pub kind: FailureKind,
    /// The whole reason.
    pub reason: String,
}

/// The kinds of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// No answer came, or the request never got out.
    Unreachable,
    /// AWS does not accept the key id: it is deleted or inactive.
    KeyRefused,
    /// The secret does not belong to the key id.
    WrongSecret,
    /// The right is missing.
    Denied,
    /// The right is missing, and the profile names an MFA device whose code was not given.
    MfaNeeded,
    /// No session could be had with the code that was given.
    MfaFailed,
    /// Temporary credentials have expired.
    Expired,
    /// This machine's clock is wrong.
    ClockOff,
    /// The key cannot be read out of its file.
    Unreadable,
    /// Anything else.
    Other,
}

impl FailureKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::Unreachable,
        Self::KeyRefused,
        Self::WrongSecret,
        Self::Denied,
        Self::MfaNeeded,
        Self::MfaFailed,
        Self::Expired,
        Self::ClockOff,
        Self::Unreadable,
        Self::Other,
    ];

    /// Its code for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::KeyRefused => "key-refused",
            Self::WrongSecret => "wrong-secret",
            Self::Denied => "denied",
            Self::MfaNeeded => "mfa-needed",
            Self::MfaFailed => "mfa-failed",
            Self::Expired => "expired",
            Self::ClockOff => "clock-off",
            Self::Unreadable => "unreadable",
            Self::Other => "failed",
        }
    }

    /// The reason in a few words.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::Unreachable => "not reached",
            Self::KeyRefused => "refused by AWS",
            Self::WrongSecret => "wrong secret",
            Self::Denied => "may not list keys",
            Self::MfaNeeded => "needs --mfa-code",
            Self::MfaFailed => "MFA code refused",
            Self::Expired => "expired",
            Self::ClockOff => "clock is wrong",
            Self::Unreadable => "secret unreadable",
            Self::Other => "AWS could not say",
        }
    }
}

/// Where the account of a profile is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// AWS said it.
    Aws,
    /// It is encoded in the key id.
    KeyId,
    /// It stands in the profile: in the ARN of a role, or as the account of Identity Center.
    Profile,
}

impl Source {
    /// Its code for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::KeyId => "key-id",
            Self::Profile => "profile",
        }
    }
}

/// One profile with all that is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding<'a> {
    /// The profile.
    pub profile: &'a Profile,
    /// The key that stands in it.
    pub key: Option<&'a AccessKeyId>,
    /// Its account.
    pub account: Option<AccountId>,
    /// Where the account is known from.
    pub source: Option<Source>,
    /// Whose key it is.
    pub owner: Option<Owner>,
    /// When the key was made, and whether it is active.
    pub listed: Option<AccessKey>,
    /// Its last use, if AWS was asked.
    pub last_used: Option<LastUsed>,
    /// Other keys of the same owner.
    pub other_keys: Vec<AccessKey>,
    /// What is due, the gravest first.
    pub due: Vec<Due>,
    /// What AWS could not be asked.
    pub failure: Option<Failure>,
}

/// Something that somebody should do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// The key belongs to the root user.
    RootKey,
    /// A file has a line that a reader refuses, or the readers do not agree on the profile.
    FileProblem {
        /// The file.
        file: FileKind,
        /// The line, from 1.
        line: usize,
        /// What is wrong, without the line's content.
        reason: String,
    },
    /// Half a key.
    Incomplete {
        /// The half that is missing.
        missing: KeyHalf,
    },
    /// A key that AWS cannot have issued.
    BadKey {
        /// What is wrong with it.
        reason: String,
    },
    /// A rotation did not come to its end.
    RotationUnfinished {
        /// The rotation.
        rotation: RotationId,
    },
    /// A rotation waits for a person's decision.
    RotationUndecided {
        /// The rotation.
        rotation: RotationId,
    },
    /// A key that akia deactivated has outlived its grace.
    GraceOver {
        /// The rotation.
        rotation: RotationId,
        /// The inactive key.
        key: AccessKeyId,
    },
    /// The key of the profile is inactive.
    Inactive,
    /// The key is too old.
    Rotate {
        /// Its age.
        age: SignedDuration,
        /// The limit.
        max_age: SignedDuration,
    },
    /// The key was made long ago and never used.
    NeverUsed {
        /// Its age.
        age: SignedDuration,
    },
    /// The key was last used long ago.
    Unused {
        /// How long ago.
        idle: SignedDuration,
    },
    /// The user has another key, which is inactive.
    SecondKeyInactive {
        /// That key.
        key: AccessKeyId,
    },
    /// The user has two active keys.
    TwoKeys {
        /// The other key.
        key: AccessKeyId,
        /// The profiles that hold it.
        profiles: Vec<ProfileName>,
    },
    /// Several profiles hold the key.
    Shared {
        /// All of them.
        profiles: Vec<ProfileName>,
    },
    /// A key that akia deactivated can still be brought back.
    InGrace {
        /// The rotation.
        rotation: RotationId,
        /// The inactive key.
        key: AccessKeyId,
        /// When it may be deleted.
        until: Timestamp,
    },
    /// The new key is delivered, and the old one is watched for whoever still uses it.
    Watched {
        /// The rotation.
        rotation: RotationId,
        /// The old key, which is active.
        key: AccessKeyId,
        /// When it is judged.
        until: Timestamp,
    },
}

/// Every code of [`Due`], in the order of the documentation.
pub const DUE_CODES: [&str; 16] = [
    "root-key",
    "file-problem",
    "incomplete",
    "bad-key",
    "rotation-unfinished",
    "rotation-undecided",
    "grace-over",
    "inactive",
    "rotate",
    "never-used",
    "unused",
    "second-key-inactive",
    "two-keys",
    "shared",
    "in-grace",
    "watched",
];

/// How much a due thing matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Good to know.
    Note,
    /// Should be done.
    Due,
    /// Wrong.
    Wrong,
}

impl Due {
    /// Its code for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::RootKey => "root-key",
            Self::FileProblem { .. } => "file-problem",
            Self::Incomplete { .. } => "incomplete",
            Self::BadKey { .. } => "bad-key",
            Self::RotationUnfinished { .. } => "rotation-unfinished",
            Self::RotationUndecided { .. } => "rotation-undecided",
            Self::GraceOver { .. } => "grace-over",
            Self::Inactive => "inactive",
            Self::Rotate { .. } => "rotate",
            Self::NeverUsed { .. } => "never-used",
            Self::Unused { .. } => "unused",
            Self::SecondKeyInactive { .. } => "second-key-inactive",
            Self::TwoKeys { .. } => "two-keys",
            Self::Shared { .. } => "shared",
            Self::InGrace { .. } => "in-grace",
            Self::Watched { .. } => "watched",
        }
    }

    /// How much it matters.
    #[must_use]
    pub fn weight(&self) -> Weight {
        match self {
            Self::RootKey | Self::FileProblem { .. } | Self::Incomplete { .. } | Self::BadKey { .. } => Weight::Wrong,
            Self::RotationUnfinished { .. }
            | Self::RotationUndecided { .. }
            | Self::GraceOver { .. }
            | Self::Inactive
            | Self::Rotate { .. }
            | Self::NeverUsed { .. }
            | Self::Unused { .. } => Weight::Due,
            Self::SecondKeyInactive { .. }
            | Self::TwoKeys { .. }
            | Self::Shared { .. }
            | Self::InGrace { .. }
            | Self::Watched { .. } => Weight::Note,
        }
    }

    /// It in two or three words, for a table.
    #[must_use]
    pub fn short(&self) -> String {
        match self {
            Self::RootKey => "root key".to_owned(),
            Self::FileProblem { file: FileKind::Credentials, line, .. } => format!("credentials line {line}"),
            Self::FileProblem { file: FileKind::Config, line, .. } => format!("config line {line}"),
            Self::Incomplete { .. } => "incomplete".to_owned(),
            Self::BadKey { .. } => "bad key".to_owned(),
            Self::RotationUnfinished { .. } => "rotation unfinished".to_owned(),
            Self::RotationUndecided { .. } => "rotation undecided".to_owned(),
            Self::GraceOver { .. } => "retire old key".to_owned(),
            Self::Inactive => "inactive".to_owned(),
            Self::Rotate { .. } => "rotate".to_owned(),
            Self::NeverUsed { .. } => "never used".to_owned(),
            Self::Unused { idle } => format!("unused for {}d", days(*idle)),
            Self::SecondKeyInactive { .. } => "second key inactive".to_owned(),
            Self::TwoKeys { .. } => "two keys".to_owned(),
            Self::Shared { profiles } => format!("shared by {}", profiles.len()),
            Self::InGrace { until, .. } => format!("old key until {}", until.strftime("%Y-%m-%d")),
            Self::Watched { until, .. } => format!("old key watched until {}", until.strftime("%Y-%m-%d")),
        }
    }

    /// The command that deals with it, word by word, where one does.
    #[must_use]
    pub fn command(&self, profile: &ProfileName) -> Option<Vec<String>> {
        let words = |words: &[&str]| Some(words.iter().map(|&word| word.to_owned()).collect());
        match self {
            Self::RotationUnfinished { rotation } | Self::RotationUndecided { rotation } => {
                words(&["akia", "resume", rotation.as_str()])
            }
            Self::GraceOver { .. } => words(&["akia", "retire"]),
            Self::InGrace { rotation, .. } | Self::Watched { rotation, .. } => {
                words(&["akia", "undo", rotation.as_str()])
            }
            Self::Rotate { .. } => words(&["akia", "rotate", "-p", profile.as_str()]),
            Self::Incomplete { .. } | Self::BadKey { .. } => words(&["akia", "setup", profile.as_str()]),
            Self::RootKey
            | Self::FileProblem { .. }
            | Self::Inactive
            | Self::NeverUsed { .. }
            | Self::Unused { .. }
            | Self::SecondKeyInactive { .. }
            | Self::TwoKeys { .. }
            | Self::Shared { .. } => None,
        }
    }
}

/// The whole sentence.
impl fmt::Display for Due {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RootKey => formatter.write_str("it is a key of the root user, which must have none: delete it"),
            Self::FileProblem { reason, .. } => write!(formatter, "file problem: {reason}"),
            Self::Incomplete { missing } => write!(formatter, "incomplete: {missing} is missing"),
            Self::BadKey { reason } => write!(formatter, "bad key: {reason}"),
            Self::RotationUnfinished { rotation } => write!(formatter, "rotation {rotation} is unfinished"),
            Self::RotationUndecided { rotation } => write!(formatter, "rotation {rotation} waits for your decision"),
            Self::GraceOver { rotation, key } => {
                write!(formatter, "the grace of {key} is over, which rotation {rotation} deactivated")
            }
            Self::Inactive => formatter.write_str("the key is inactive: nothing that uses the profile works"),
            Self::Rotate { age, max_age } => {
                write!(formatter, "rotate: {} days old, the limit is {} days", days(*age), days(*max_age))
            }
            Self::NeverUsed { age } => write!(formatter, "never used in {} days", days(*age)),
            Self::Unused { idle } => write!(formatter, "unused for {} days", days(*idle)),
            Self::SecondKeyInactive { key } => write!(formatter, "the second key of the user, {key}, is inactive"),
            Self::TwoKeys { key, profiles } if profiles.is_empty() => {
                write!(formatter, "the user has a second active key, {key}, which no profile here holds")
            }
            Self::TwoKeys { key, profiles } => {
                write!(formatter, "the user has a second active key, {key}, in {}", list(profiles))
            }
            Self::Shared { profiles } => write!(formatter, "shared by {} profiles: {}", profiles.len(), list(profiles)),
            Self::InGrace { rotation, key, until } => write!(
                formatter,
                "rotation {rotation} deactivated {key}; until {} it can be brought back",
                until.strftime("%Y-%m-%d %H:%MZ")
            ),
            Self::Watched { rotation, key, until } => write!(
                formatter,
                "rotation {rotation} has replaced {key}, which stays active and is watched until {}",
                until.strftime("%Y-%m-%d %H:%MZ")
            ),
        }
    }
}

/// The key that stands in a profile: the one that it works with, or one that merely lies there.
#[must_use]
pub fn key_of(profile: &Profile) -> Option<&AccessKeyId> {
    match &profile.kind {
        ProfileKind::StaticKey { id, .. } | ProfileKind::Temporary { id, .. } => Some(id),
        ProfileKind::Sso { .. }
        | ProfileKind::Role { .. }
        | ProfileKind::WebIdentity { .. }
        | ProfileKind::CredentialProcess { .. }
        | ProfileKind::Login { .. }
        | ProfileKind::IncompleteKey { .. }
        | ProfileKind::BadKey { .. }
        | ProfileKind::Empty => profile.keys.first().map(|held| &held.id),
    }
}

/// The kind of a profile as a code for programs.
#[must_use]
pub fn kind_code(kind: &ProfileKind) -> &'static str {
    match kind {
        ProfileKind::StaticKey { .. } => "static-key",
        ProfileKind::Temporary { .. } => "temporary",
        ProfileKind::Sso { .. } => "sso",
        ProfileKind::Role { .. } => "role",
        ProfileKind::WebIdentity { .. } => "web-identity",
        ProfileKind::CredentialProcess { .. } => "credential-process",
        ProfileKind::Login { .. } => "login",
        ProfileKind::IncompleteKey { .. } => "incomplete",
        ProfileKind::BadKey { .. } => "bad-key",
        ProfileKind::Empty => "empty",
    }
}

impl<'a> Inventory<'a> {
    /// All that is known about a profile.
    #[must_use]
    pub fn holding(&self, profile: &'a Profile) -> Holding<'a> {
        let key = key_of(profile);
        let answer = self.answers.get(&profile.name);
        let told = answer.and_then(|answer| answer.as_ref().ok());
        let (lister, listed) = key.and_then(|key| self.listing(profile, key)).unzip();
        let known = told.or(lister);
        let (account, source) = match known {
            Some(told) => (Some(told.account.clone()), Some(Source::Aws)),
            None => account_without_aws(profile, key),
        };
        let other_keys = match known.map(|told| &told.keys) {
            Some(Ok(keys)) if profile_has_long_term(profile) => {
                keys.iter().filter(|other| Some(&other.id) != key).cloned().collect()
            }
            _ => Vec::new(),
        };
        let failure = match answer {
            Some(Err(failure)) => Some(failure.clone()),
            Some(Ok(told)) => told.keys.as_ref().err().cloned(),
            None => None,
        };
        let mut holding = Holding {
            profile,
            key,
            account,
            source,
            owner: known.map(|told| told.owner.clone()),
            listed: listed.cloned(),
            last_used: told.map(|told| told.last_used.clone()),
            other_keys,
            due: Vec::new(),
            failure,
        };
        holding.due = self.due(&holding);
        holding
    }

    /// Rotations that are not over and belong to no profile here: of another user, or of files that are gone.
    #[must_use]
    pub fn elsewhere(&self) -> Vec<Due> {
        let here = |rotation: &Rotation| self.profiles.iter().any(|profile| is_about(rotation, profile));
        self.rotations.iter().filter(|rotation| !here(rotation)).filter_map(|rotation| self.pending(rotation)).collect()
    }

    /// Who listed a key: the profile's own answer, else that of another profile of the same user. So a key that AWS refuses is still
    /// told inactive from deleted.
    fn listing(&self, profile: &Profile, key: &AccessKeyId) -> Option<(&'a Told, &'a AccessKey)> {
        let of = |answer: &'a Answer| {
            let told = answer.as_ref().ok()?;
            Some((told, told.keys.as_ref().ok()?.iter().find(|listed| listed.id == *key)?))
        };
        self.answers.get(&profile.name).and_then(of).or_else(|| self.answers.values().find_map(of))
    }

    fn due(&self, holding: &Holding<'a>) -> Vec<Due> {
        let profile = holding.profile;
        let mut due: Vec<Due> = Vec::new();
        due.extend((holding.owner == Some(Owner::Root)).then_some(Due::RootKey));
        due.extend(profile.trouble.as_ref().map(file_problem));
        if let ProfileKind::IncompleteKey { missing, .. } = &profile.kind {
            due.push(Due::Incomplete { missing: *missing });
        }
        if let ProfileKind::BadKey { reason, .. } = &profile.kind {
            due.push(Due::BadKey { reason: reason.clone() });
        }
        let rotations: Vec<Due> = self
            .rotations
            .iter()
            .filter(|rotation| is_about(rotation, profile))
            .filter_map(|rotation| self.pending(rotation))
            .collect();
        let under_way =
            rotations.iter().any(|due| matches!(due, Due::RotationUnfinished { .. } | Due::RotationUndecided { .. }));
        let in_journal = |key: &AccessKeyId| {
            let of_key = |due: &Due| matches!(due, Due::GraceOver { key: known, .. } | Due::InGrace { key: known, .. } | Due::Watched { key: known, .. } if known == key);
            rotations.iter().any(of_key)
        };
        if let Some(listed) = &holding.listed {
            due.extend(self.due_of_key(listed, holding, under_way));
        }
        let is_inactive = due.contains(&Due::Inactive);
        for other in holding.other_keys.iter().filter(|other| !under_way && !in_journal(&other.id)) {
            match other.status {
                KeyStatus::Inactive => due.push(Due::SecondKeyInactive { key: other.id.clone() }),
                // Beside an inactive key it is the one that works.
                KeyStatus::Active if is_inactive => {}
                KeyStatus::Active => {
                    due.push(Due::TwoKeys { key: other.id.clone(), profiles: self.holders(&other.id) });
                }
            }
        }
        let holders = holding.key.map(|key| self.holders(key)).unwrap_or_default();
        if holders.len() > 1 && holders.contains(&profile.name) {
            due.push(Due::Shared { profiles: holders });
        }
        due.extend(rotations);
        // The gravest first; among equals the order of the rules.
        due.sort_by_key(|due| std::cmp::Reverse(due.weight()));
        due
    }

    fn due_of_key(&self, key: &AccessKey, holding: &Holding<'a>, under_way: bool) -> Vec<Due> {
        if key.status == KeyStatus::Inactive {
            return vec![Due::Inactive];
        }
        let mut due = Vec::new();
        let age = self.now.duration_since(key.created_at);
        if age >= self.max_age && !under_way && holding.owner != Some(Owner::Root) {
            due.push(Due::Rotate { age, max_age: self.max_age });
        }
        match &holding.last_used {
            Some(LastUsed::Never) if age >= UNUSED_LIMIT => due.push(Due::NeverUsed { age }),
            Some(LastUsed::At { at, .. }) => {
                let idle = self.now.duration_since(*at);
                due.extend((idle >= UNUSED_LIMIT).then_some(Due::Unused { idle }));
            }
            Some(LastUsed::Never | LastUsed::Unknown { .. }) | None => {}
        }
        due
    }

    /// What a rotation of the journal leaves to do.
    fn pending(&self, rotation: &Rotation) -> Option<Due> {
        let id = || rotation.plan().id.clone();
        let grace = |key: &AccessKeyId, until: Timestamp| {
            Some(if self.now < until {
                Due::InGrace { rotation: id(), key: key.clone(), until }
            } else {
                Due::GraceOver { rotation: id(), key: key.clone() }
            })
        };
        // Asked as of the beginning of time, a rest tells the end of the grace whether or not that has passed.
        match rotation.rest(Timestamp::MIN) {
            Rest::InGrace { until } => grace(&rotation.plan().displaced, until),
            Rest::Undone { until } => rotation.new_key().and_then(|key| grace(key, until)),
            Rest::Undecided { .. } => Some(Due::RotationUndecided { rotation: id() }),
            Rest::Watching { until } if self.now < until => {
                Some(Due::Watched { rotation: id(), key: rotation.plan().displaced.clone(), until })
            }
            Rest::Watching { .. } => Some(Due::RotationUnfinished { rotation: id() }),
            Rest::Busy | Rest::Interrupted { .. } => Some(Due::RotationUnfinished { rotation: id() }),
            Rest::Retired | Rest::Kept | Rest::UndoneAndClean | Rest::Aborted { .. } => None,
        }
    }

    /// The profiles that hold a key, each once.
    fn holders(&self, key: &AccessKeyId) -> Vec<ProfileName> {
        let holds = |profile: &&Profile| profile.keys.iter().any(|held| held.id == *key);
        self.profiles.iter().filter(holds).map(|profile| profile.name.clone()).collect()
    }
}

/// Whether a rotation is about the key of a profile. Profiles of the same name in other files are others.
fn is_about(rotation: &Rotation, profile: &Profile) -> bool {
    let plan = rotation.plan();
    let is_ours = |key: &AccessKeyId| plan.displaced == *key || rotation.new_key() == Some(key);
    let in_keychain = |place: &Place| match place {
        Place::Keychain { profile: name } => *name == profile.name,
        Place::Profile { .. } | Place::Declared(_) => false,
    };
    let uses_process = matches!(profile.kind, ProfileKind::CredentialProcess { .. });
    key_of(profile).is_some_and(is_ours) || (uses_process && plan.places.iter().any(in_keychain))
}

/// The keys that AWS lists are long-term ones; those of a session's user say nothing about the session.
fn profile_has_long_term(profile: &Profile) -> bool {
    !matches!(profile.kind, ProfileKind::Temporary { .. })
}

fn account_without_aws(profile: &Profile, key: Option<&AccessKeyId>) -> (Option<AccountId>, Option<Source>) {
    let of_arn = |arn: &str| arn.split(':').nth(4).and_then(|account| account.parse().ok());
    let stated: Option<AccountId> = match &profile.kind {
        ProfileKind::Role { role_arn, .. } => of_arn(role_arn),
        ProfileKind::WebIdentity { role_arn, .. } => role_arn.as_deref().and_then(of_arn),
        ProfileKind::Sso { account, .. } => account.as_deref().and_then(|account| account.parse().ok()),
        ProfileKind::StaticKey { .. }
        | ProfileKind::Temporary { .. }
        | ProfileKind::CredentialProcess { .. }
        | ProfileKind::Login { .. }
        | ProfileKind::IncompleteKey { .. }
        | ProfileKind::BadKey { .. }
        | ProfileKind::Empty => None,
    };
    match (stated, key.and_then(AccessKeyId::account)) {
        (Some(account), _) => (Some(account), Some(Source::Profile)),
        (None, Some(account)) => (Some(account), Some(Source::KeyId)),
        (None, None) => (None, None),
    }
}

fn file_problem(trouble: &Trouble) -> Due {
    let (file, line) = match trouble {
        Trouble::Problem(problem) => (problem.file, problem.line),
        Trouble::Disagreement(disagreement) => (disagreement.file, disagreement.line),
    };
    Due::FileProblem { file, line, reason: trouble.to_string() }
}

fn days(span: SignedDuration) -> i64 {
    span.as_hours() / 24
}

fn list(profiles: &[ProfileName]) -> String {
    profiles.iter().map(|name| format!("{:?}", name.as_str())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Partition, Region, UserId};
    use crate::journal::{Event, Intent, Record};
    use crate::profile::File;
    use crate::rotation::{Identity, Pace, Plan, Retirement, Signer};

    const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
    const OTHER: &str = "AKIAI44QH8DHBEXAMPLE";
    const NOW: &str = "2026-11-24T00:00:00Z";

    fn id(text: &str) -> AccessKeyId {
        text.parse().unwrap()
    }

    fn name(text: &str) -> ProfileName {
        text.parse().unwrap()
    }

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    fn days_ago(count: i64) -> Timestamp {
        now() - SignedDuration::from_hours(24 * count)
    }

    fn listed(key: &str, age_days: i64, status: KeyStatus) -> AccessKey {
        AccessKey { id: id(key), status, created_at: days_ago(age_days) }
    }

    fn used(days: i64) -> LastUsed {
        LastUsed::At { at: days_ago(days), service: "s3".to_owned(), region: "eu-west-1".to_owned() }
    }

    fn ann() -> Owner {
        Owner::User("arn:aws:iam::123456789012:user/ann".parse().unwrap())
    }

    fn told(owner: Owner, keys: Vec<AccessKey>, last_used: LastUsed) -> Answer {
        Ok(Told { account: "123456789012".parse().unwrap(), owner, keys: Ok(keys), last_used })
    }

    fn failure(kind: FailureKind) -> Failure {
        Failure { kind, reason: "for a test".to_owned() }
    }

    fn section(name: &str, key: &str) -> String {
        format!(
            "[{name}]\naws_access_key_id = {key}\naws_secret_access_key = {}\n",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
        )
    }

    fn profiles(credentials: &str, config: &str) -> Profiles {
        let file = |kind, text: &str| File::parse(kind, text.as_bytes().to_vec());
        Profiles::merge(Some(&file(FileKind::Credentials, credentials)), Some(&file(FileKind::Config, config)))
    }

    /// The codes of what is due for each profile.
    fn due(profiles: &Profiles, answers: &[(&str, Answer)], rotations: &[Rotation]) -> Vec<Vec<&'static str>> {
        let answers = answers.iter().map(|(profile, answer)| (name(profile), answer.clone())).collect();
        let max_age = SignedDuration::from_hours(90 * 24);
        let inventory = Inventory { profiles, answers: &answers, rotations, max_age, now: now() };
        let codes: Vec<Vec<&str>> =
            profiles.iter().map(|profile| inventory.holding(profile).due.iter().map(Due::code).collect()).collect();
        assert!(codes.iter().flatten().all(|code| DUE_CODES.contains(code)), "{codes:?}");
        codes
    }

    fn due_of_one(owner: Owner, keys: Vec<AccessKey>, last_used: LastUsed) -> Vec<&'static str> {
        due(&profiles(&section("default", KEY), ""), &[("default", told(owner, keys, last_used))], &[]).remove(0)
    }

    #[test]
    fn age_and_use_are_judged_at_their_limits() {
        let active = KeyStatus::Active;
        for (age, last_used, codes) in [
            (89, used(1), &[][..]),
            (90, used(1), &["rotate"]),
            (10, LastUsed::Never, &[]),
            (90, LastUsed::Never, &["rotate", "never-used"]),
            (400, used(89), &["rotate"]),
            (400, used(90), &["rotate", "unused"]),
            (400, LastUsed::Unknown { reason: "denied".to_owned() }, &["rotate"]),
        ] {
            let found = due_of_one(ann(), vec![listed(KEY, age, active)], last_used.clone());
            assert_eq!(found, codes, "{age} days, {last_used:?}");
        }
    }

    #[test]
    fn an_inactive_key_is_due_for_nothing_else() {
        let keys = vec![listed(KEY, 400, KeyStatus::Inactive)];
        assert_eq!(due_of_one(ann(), keys, LastUsed::Never), ["inactive"]);
    }

    #[test]
    fn a_root_key_must_go_and_is_not_rotated() {
        let keys = vec![listed(KEY, 400, KeyStatus::Active)];
        assert_eq!(due_of_one(Owner::Root, keys, used(1)), ["root-key"]);
    }

    #[test]
    fn the_second_key_is_named_with_its_state() {
        for (status, code) in [(KeyStatus::Active, "two-keys"), (KeyStatus::Inactive, "second-key-inactive")] {
            let keys = vec![listed(KEY, 1, KeyStatus::Active), listed(OTHER, 1, status)];
            assert_eq!(due_of_one(ann(), keys, used(1)), [code]);
        }
    }

    #[test]
    fn two_keys_name_the_profiles_that_hold_the_other() {
        let profiles = profiles(&(section("default", KEY) + &section("ci", OTHER)), "");
        let keys = vec![listed(KEY, 1, KeyStatus::Active), listed(OTHER, 1, KeyStatus::Active)];
        let answers =
            [(name("default"), told(ann(), keys.clone(), used(1))), (name("ci"), told(ann(), keys, used(1)))].into();
        let max_age = SignedDuration::from_hours(90 * 24);
        let inventory = Inventory { profiles: &profiles, answers: &answers, rotations: &[], max_age, now: now() };
        let words: Vec<String> =
            profiles.iter().flat_map(|profile| inventory.holding(profile).due).map(|due| due.to_string()).collect();
        assert_eq!(
            words,
            [
                "the user has a second active key, AKIAI44QH8DHBEXAMPLE, in \"ci\"",
                "the user has a second active key, AKIAIOSFODNN7EXAMPLE, in \"default\"",
            ]
        );
    }

    #[test]
    fn a_refused_key_is_found_in_the_list_of_its_users_other_key() {
        let profiles = profiles(&(section("default", KEY) + &section("old", OTHER)), "");
        let keys = vec![listed(KEY, 1, KeyStatus::Active), listed(OTHER, 500, KeyStatus::Inactive)];
        let answers =
            [(name("default"), told(ann(), keys, used(1))), (name("old"), Err(failure(FailureKind::KeyRefused)))]
                .into();
        let max_age = SignedDuration::from_hours(90 * 24);
        let inventory = Inventory { profiles: &profiles, answers: &answers, rotations: &[], max_age, now: now() };
        let old = inventory.holding(profiles.find(&"old".parse().unwrap()).unwrap());
        assert_eq!(old.owner, Some(ann()));
        assert_eq!(old.due, [Due::Inactive]);
        assert_eq!(old.failure.unwrap().kind, FailureKind::KeyRefused);
    }

    #[test]
    fn without_aws_the_files_still_tell_what_is_wrong() {
        let credentials = section("default", KEY)
            + &section("same", KEY)
            + "[half]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n"
            + "[bad]\naws_access_key_id = short\naws_secret_access_key = x\n";
        let found = due(&profiles(&credentials, "[profile p]\nregion = eu-west-1\n"), &[], &[]);
        assert_eq!(found, [&["shared"][..], &["shared"], &["incomplete"], &["bad-key"], &[]]);
        // One bad line concerns every profile, because one reader can read none of them then.
        let found = due(&profiles(&section("default", KEY), "[profile p]\nnonsense\n"), &[], &[]);
        assert_eq!(found, [["file-problem"], ["file-problem"]]);
    }

    #[test]
    fn accounts_come_from_aws_then_from_the_profile_then_from_the_key_id() {
        let coded = ["AKIA", "QNZGKIQY56JQ7WML"].concat();
        let config = "[profile admin]\nrole_arn = arn:aws:iam::210987654321:role/admin\nsource_profile = coded\n\
                      [profile sso]\nsso_start_url = https://example.awsapps.com/start\nsso_region = eu-west-1\n\
                      sso_account_id = 111122223333\nsso_role_name = Read\n";
        let profiles = profiles(&(section("told", KEY) + &section("coded", &coded) + &section("plain", OTHER)), config);
        let answers = [(name("told"), told(ann(), Vec::new(), used(1)))].into();
        let inventory =
            Inventory { profiles: &profiles, answers: &answers, rotations: &[], max_age: UNUSED_LIMIT, now: now() };
        let found: Vec<_> = profiles
            .iter()
            .map(|profile| inventory.holding(profile))
            .map(|holding| {
                let account = holding.account.map(|account| account.to_string());
                (holding.profile.name.to_string(), account.unwrap_or_default(), holding.source)
            })
            .collect();
        let row = |name: &str, account: &str, source| (name.to_owned(), account.to_owned(), source);
        assert_eq!(
            found,
            [
                row("told", "123456789012", Some(Source::Aws)),
                row("coded", "029608264753", Some(Source::KeyId)),
                row("plain", "", None),
                row("admin", "210987654321", Some(Source::Profile)),
                row("sso", "111122223333", Some(Source::Profile)),
            ]
        );
    }

    #[test]
    fn temporary_credentials_have_no_age_and_no_second_key() {
        let temporary = ["ASIA", "QNZGKIQY56JQ7WML"].concat();
        let profiles = profiles(&(section("default", &temporary) + "aws_session_token = t\n"), "");
        let answer = told(Owner::Other("arn:aws:sts::123456789012:assumed-role/a/b".to_owned()), Vec::new(), used(1));
        assert_eq!(due(&profiles, &[("default", answer)], &[]), [[""; 0]]);
    }

    fn rotation(events: Vec<Event>) -> Rotation {
        let plan = Plan {
            id: "r-0123456789abcdef".parse().unwrap(),
            run: "r-0123456789abcdef".parse().unwrap(),
            planned_at: days_ago(10),
            identity: Identity {
                arn: "arn:aws:iam::123456789012:user/ann".parse().unwrap(),
                user_id: "AIDACKCEVSQ6C2EXAMPLE".parse::<UserId>().unwrap(),
            },
            displaced: id(KEY),
            displaced_created_at: days_ago(400),
            before: [id(KEY)].into(),
            make_room: None,
            places: vec![Place::Profile {
                path: "/home/ann/.aws/credentials".to_owned(),
                file: FileKind::Credentials,
                profile: ProfileName::default_name(),
            }],
            signer: Signer::Own { profile: ProfileName::default_name(), mfa_serial: None },
            endpoint_url: None,
            region: "us-east-1".parse::<Region>().unwrap(),
            retirement: Retirement::Deactivate,
            grace: SignedDuration::from_hours(7 * 24),
            without_evidence: false,
            service: None,
            vacant: Default::default(),
            displaced_secret_unknown: false,
            probe: None,
            watch: SignedDuration::ZERO,
            nonce: "n".to_owned(),
            pace: Pace { proofs: 1, ..Pace::default() },
        };
        assert_eq!(plan.identity.partition(), Partition::Aws);
        let planned = Event::Planned { plan: Box::new(plan) };
        let records: Vec<Record> =
            std::iter::once(planned).chain(events).map(|event| Record { at: days_ago(10), event }).collect();
        Rotation::replay(&records).unwrap()
    }

    fn up_to_deactivation() -> Vec<Event> {
        let intended = |intent| Event::Intended { intent };
        vec![
            intended(Intent::Create),
            Event::KeyCreated { key: id(OTHER) },
            Event::SecretReadBack,
            Event::ProofPassed,
            Event::RivalsAbsent,
            intended(Intent::Deliver(0)),
            Event::Delivered { place: 0, mark: None },
            Event::Promoted,
            Event::Observed { last_used: used(30) },
            intended(Intent::DeactivateDisplaced),
            Event::DisplacedDeactivated,
        ]
    }

    #[test]
    fn an_unfinished_rotation_comes_before_a_new_one() {
        let begun = rotation(vec![Event::Intended { intent: Intent::Create }]);
        let keys = vec![listed(KEY, 400, KeyStatus::Active), listed(OTHER, 1, KeyStatus::Active)];
        let profiles = profiles(&section("default", KEY), "");
        let found = due(&profiles, &[("default", told(ann(), keys, used(1)))], std::slice::from_ref(&begun));
        assert_eq!(found, [["rotation-unfinished"]]);
        let found = due(&profiles, &[], std::slice::from_ref(&begun));
        assert_eq!(found, [["rotation-unfinished"]], "without AWS, too");
    }

    #[test]
    fn a_key_in_grace_is_told_from_a_forgotten_one() {
        let deactivated = rotation(up_to_deactivation());
        let profiles = profiles(&section("default", OTHER), "");
        let keys = vec![listed(OTHER, 10, KeyStatus::Active), listed(KEY, 400, KeyStatus::Inactive)];
        let answer = told(ann(), keys, used(1));
        // Deactivated ten days ago with seven days of grace.
        assert_eq!(
            due(&profiles, &[("default", answer.clone())], std::slice::from_ref(&deactivated)),
            [["grace-over"]]
        );
        let answers = [(name("default"), answer)].into();
        let early = Inventory {
            profiles: &profiles,
            answers: &answers,
            rotations: std::slice::from_ref(&deactivated),
            max_age: UNUSED_LIMIT,
            now: days_ago(8),
        };
        let holding = early.holding(profiles.find(&ProfileName::default_name()).unwrap());
        assert_eq!(holding.due.iter().map(Due::short).collect::<Vec<_>>(), ["old key until 2026-11-21"]);
        let command = holding.due[0].command(&holding.profile.name).unwrap().join(" ");
        assert_eq!(command, "akia undo r-0123456789abcdef");
    }

    #[test]
    fn a_rotation_of_keys_that_no_profile_holds_is_not_lost() {
        let begun = [rotation(vec![Event::Intended { intent: Intent::Create }])];
        let profiles = profiles("", "");
        let answers = BTreeMap::new();
        let inventory =
            Inventory { profiles: &profiles, answers: &answers, rotations: &begun, max_age: UNUSED_LIMIT, now: now() };
        assert_eq!(inventory.elsewhere().iter().map(Due::code).collect::<Vec<_>>(), ["rotation-unfinished"]);
    }
}
