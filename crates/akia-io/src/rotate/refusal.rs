//! Why a profile is not rotated. Nothing was changed, in AWS or in a file, when one of these is given.

use akia_core::{AccessKeyId, KeyStatus, LastUsed, ProfileName, RotationId};

use super::signing::SignerError;
use crate::aws::{AwsError, CredentialsError};
use crate::place::PlaceError;
use crate::state::LockError;
use crate::store::StoreError;

/// Why a profile is not rotated.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Neither file has the profile.
    #[error("there is no profile \"{profile}\" in {searched}")]
    NoSuchProfile {
        /// The name asked for.
        profile: ProfileName,
        /// The files that were read.
        searched: String,
        /// A name that looks like it.
        similar: Option<ProfileName>,
    },
    /// The profile holds no long-term key of its own.
    #[error("profile \"{profile}\" {kind}: it holds no long-term access key to rotate")]
    NotAKey {
        /// The profile.
        profile: ProfileName,
        /// What it is instead, as a clause: "assumes a role through profile \"base\"".
        kind: String,
        /// The profile whose key it stands on, if any.
        instead: Option<ProfileName>,
    },
    /// The file is such that akia does not edit the profile.
    #[error("profile \"{profile}\" is not edited: {reason}")]
    UnsafeFile {
        /// The profile.
        profile: ProfileName,
        /// Why not.
        reason: String,
    },
    /// The secret cannot be read.
    #[error("the secret of profile \"{profile}\" cannot be read: {reason}")]
    NoSecret {
        /// The profile.
        profile: ProfileName,
        /// Why not.
        reason: String,
    },
    /// Profiles hold the same key id with different secrets.
    #[error("profiles \"{first}\" and \"{second}\" hold key {key} with two different secrets; one of them is wrong")]
    TwoSecrets {
        /// The key.
        key: AccessKeyId,
        /// One profile.
        first: ProfileName,
        /// The other.
        second: ProfileName,
    },
    /// The profile sends its calls somewhere that akia would not talk to.
    #[error(transparent)]
    Endpoint(crate::profiles::BadEndpoint),
    /// The signing profile assumes a role with the very key that is to be rotated.
    #[error(
        "profile \"{signer}\" assumes its role with key {key} itself, and could not finish once that key is retired"
    )]
    SignsThroughKey {
        /// The profile that was to sign.
        signer: ProfileName,
        /// The key.
        key: AccessKeyId,
        /// The profile that holds the key.
        holder: ProfileName,
    },
    /// Changes would go where nobody has allowed them.
    #[error(transparent)]
    ForeignEndpoint(crate::aws::ForeignEndpoint),
    /// It is the key of an account's root user.
    #[error("key {key} belongs to the root user of account {account}; akia does not rotate root keys")]
    Root {
        /// The key.
        key: AccessKeyId,
        /// The account.
        account: String,
    },
    /// It is not the key of an IAM user.
    #[error("key {key} answers as {arn}, which is not an IAM user")]
    NotAUser {
        /// The key.
        key: AccessKeyId,
        /// Who it answers as.
        arn: String,
    },
    /// AWS does not accept the key.
    #[error("AWS does not accept key {key} of profile \"{profile}\": {error}")]
    KeyRefused {
        /// The profile.
        profile: ProfileName,
        /// The key.
        key: AccessKeyId,
        /// AWS's words.
        error: AwsError,
    },
    /// A call of the preflight failed.
    #[error("{what}: {error}")]
    Aws {
        /// What could not be found out.
        what: &'static str,
        /// Why not.
        error: AwsError,
    },
    /// Nobody can sign.
    #[error(transparent)]
    Signer(SignerError),
    /// AWS does not list the key for the user it answers as.
    #[error("AWS does not list key {key} among the keys of user {user}")]
    NotListed {
        /// The key.
        key: AccessKeyId,
        /// The user.
        user: String,
    },
    /// The key is inactive.
    #[error("key {key} of user {user} is inactive; a rotation replaces an active key")]
    Inactive {
        /// The key.
        key: AccessKeyId,
        /// The user.
        user: String,
    },
    /// The user has two keys already, and the other one is in use by a profile here.
    #[error(
        "profiles {profiles} and {others} use two different keys of user {user}, {key} and {other}; AWS allows two keys a user, so there is no room for a new one"
    )]
    TwoProfilesTwoKeys {
        /// The profiles with the key.
        profiles: String,
        /// The profiles with the other key.
        others: String,
        /// The user.
        user: String,
        /// The key.
        key: AccessKeyId,
        /// The other key.
        other: AccessKeyId,
        /// One of the profiles with the key.
        profile: ProfileName,
        /// One of the profiles with the other key.
        other_profile: ProfileName,
    },
    /// The user has two keys already.
    #[error("user {user} has two keys already, and AWS allows no third: besides {key} there is {}", .other.describe())]
    TwoKeys {
        /// The user.
        user: String,
        /// The key.
        key: AccessKeyId,
        /// The other one.
        other: Box<OtherKey>,
    },
    /// `--delete-key` names a key that is not to be deleted.
    #[error("key {key} is not deleted to make room: {reason}")]
    CannotMakeRoom {
        /// The key.
        key: AccessKeyId,
        /// Why not.
        reason: String,
    },
    /// Rights are missing.
    #[error("user {user} may not {}", .actions.join(", "))]
    RightsMissing {
        /// The user.
        user: String,
        /// The actions.
        actions: Vec<String>,
    },
    /// A place cannot be written.
    #[error("the new key could not be delivered: {0}")]
    Place(PlaceError),
    /// Another process rotates this user.
    #[error("another akia works on user {user}: {error}")]
    Busy {
        /// The user.
        user: String,
        /// Who holds the lock.
        error: LockError,
    },
    /// An earlier rotation of this user is not finished.
    #[error("rotation {rotation} of user {user} is not finished: it is {stage}")]
    Unfinished {
        /// The user.
        user: String,
        /// The earlier rotation.
        rotation: RotationId,
        /// Where it stands.
        stage: String,
    },
    /// An earlier rotation of this user cannot be read, so that nobody knows whether it is finished.
    #[error("an earlier rotation of user {user} cannot be read: {reason}")]
    Unreadable {
        /// The user.
        user: String,
        /// The earlier rotation, and what is wrong with it.
        reason: String,
        /// What to do about that.
        hint: String,
    },
    /// The journal cannot be read.
    #[error("the journal cannot be read: {0}")]
    Store(StoreError),
    /// The places of a service hold different keys.
    #[error("{first} holds the key {first_key}, and {second} holds {second_key}: which one is the service's?")]
    PlacesDisagree {
        /// One place.
        first: String,
        /// Its key.
        first_key: AccessKeyId,
        /// Another.
        second: String,
        /// Its key.
        second_key: AccessKeyId,
    },
    /// No place of a service gives its key back, and the user has several that work.
    #[error("no place gives the key of user {user} back, and it has several active ones: {}", list(.keys))]
    WhichKey {
        /// The user.
        user: String,
        /// The keys.
        keys: Vec<AccessKeyId>,
    },
    /// A service has no key yet.
    #[error("no place holds a key of user {user}, and AWS lists none that is active: there is nothing to rotate")]
    NoKey {
        /// The user.
        user: String,
    },
    /// A place holds the key of another user.
    #[error("{place} holds the key {key}, which is not one of user {user}")]
    KeyOfAnother {
        /// The place.
        place: String,
        /// Its key.
        key: AccessKeyId,
        /// The user of the service.
        user: String,
    },
    /// `--user` names a user none of whose keys is in a profile here.
    #[error("no profile on this machine holds a key of user {user}, so there is no place for a new secret")]
    NoPlace {
        /// The user.
        user: String,
    },
}

/// The other key of a user who has two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherKey {
    /// Its id.
    pub id: AccessKeyId,
    /// Active or inactive.
    pub status: KeyStatus,
    /// What AWS knows of its use.
    pub last_used: LastUsed,
    /// The earlier rotation of this machine's journal that it is left over from.
    pub left_by: Option<LeftBy>,
}

/// The rotation that a key is left over from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftBy {
    /// The rotation.
    pub rotation: RotationId,
    /// What the rotation did with it.
    pub how: Left,
}

/// What a rotation has left a key as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It displaced the key, and keeps it for an undo until its grace is over.
    InGrace,
    /// It displaced the key and left it active, as it was told to (`--retire keep`).
    Kept,
    /// It had made the key, and was taken back.
    Undone,
}

impl OtherKey {
    /// Whether it may go when a person names it: inactive, or never used.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.status == KeyStatus::Inactive || self.last_used == LastUsed::Never
    }

    fn describe(&self) -> String {
        let use_ = match &self.last_used {
            LastUsed::Never => "never used".to_owned(),
            LastUsed::At { at, service, region } => format!("last used {} ({service}, {region})", minute(*at)),
            LastUsed::Unknown { .. } => "last use unknown".to_owned(),
        };
        let status = self.status.as_str().to_lowercase();
        match &self.left_by {
            Some(LeftBy { rotation, how: Left::InGrace }) => {
                format!("{} ({status}, {use_}), which rotation {rotation} displaced", self.id)
            }
            Some(LeftBy { rotation, how: Left::Kept }) => {
                format!("{} ({status}, {use_}), which rotation {rotation} displaced and kept", self.id)
            }
            Some(LeftBy { rotation, how: Left::Undone }) => {
                format!("{} ({status}, {use_}), left by rotation {rotation}, which was taken back", self.id)
            }
            None => format!("{} ({status}, {use_})", self.id),
        }
    }
}

impl Refusal {
    /// Whether a person has to decide something, in contrast to something being broken.
    #[must_use]
    pub fn needs_decision(&self) -> bool {
        matches!(
            self,
            Self::TwoProfilesTwoKeys { .. } | Self::TwoKeys { .. } | Self::Unfinished { .. } | Self::ForeignEndpoint(_)
        )
    }

    /// What to do next: sentences or commands, most useful first.
    #[must_use]
    pub fn next_steps(&self) -> Vec<String> {
        match self {
            Self::NoSuchProfile { similar: Some(similar), .. } => {
                vec![format!("akia rotate --profile {}", quote_name(similar))]
            }
            Self::NoSuchProfile { similar: None, .. } => vec!["akia status".to_owned()],
            Self::NotAKey { instead: Some(instead), .. } => vec![format!("akia rotate --profile {}", quote_name(instead))],
            Self::NotAKey { profile, .. } => vec![format!("akia status --profile {}", quote_name(profile))],
            Self::UnsafeFile { .. } | Self::NoSecret { .. } | Self::Endpoint(_) => vec!["mend the file in an editor, then: akia status".into()],
            Self::ForeignEndpoint(foreign) => foreign.next_steps(),
            Self::TwoSecrets { first, .. } => vec![format!("akia status --profile {}", quote_name(first))],
            Self::SignsThroughKey { holder, .. } => vec![
                format!("akia rotate --profile {} (as the user itself)", quote_name(holder)),
                "name another administrator with --profile".to_owned(),
            ],
            Self::Root { .. } => vec![
                "delete the root key in the console (Security credentials of the root user), and use an IAM user or role"
                    .to_owned(),
            ],
            Self::NotAUser { .. } | Self::NotListed { .. } => vec!["akia status".to_owned()],
            Self::KeyRefused { profile, .. } => vec![
                format!("akia status --profile {}", quote_name(profile)),
                format!("akia setup {} (with a key that works)", quote_name(profile)),
            ],
            Self::Aws { error, .. } | Self::Signer(SignerError::Aws(error)) => {
                error.hints().into_iter().map(str::to_owned).collect()
            }
            Self::Signer(SignerError::Credentials(CredentialsError::Mfa { .. })) => {
                vec!["add --mfa-code CODE to the command, with the present code of the device".to_owned()]
            }
            Self::Signer(SignerError::Credentials(
                CredentialsError::NoSuchProfile { .. }
                | CredentialsError::Unusable { .. }
                | CredentialsError::Secret(_)
                | CredentialsError::Disagreement(_)
                | CredentialsError::RoleLoop { .. }
                | CredentialsError::Source { .. },
            )) => vec!["akia status (what each profile stands on)".to_owned()],
            Self::Signer(_) => vec!["akia policy check".to_owned()],
            Self::Inactive { key, user } => vec![format!("akia key activate {key} --user {user}")],
            Self::TwoProfilesTwoKeys { profile, other_profile, .. } => vec![
                format!("akia setup {} --from-profile {} --replace", quote_name(other_profile), quote_name(profile)),
                "then deactivate the key that nobody uses any more, and rotate again".to_owned(),
            ],
            Self::TwoKeys { other, .. } => match (&other.left_by, other.is_idle()) {
                (Some(LeftBy { rotation, how: Left::InGrace }), _) => {
                    vec![format!("akia retire {rotation} --now"), format!("akia undo {rotation}")]
                }
                (Some(LeftBy { rotation, how: Left::Undone }), _) => vec![format!("akia retire {rotation} --now")],
                (Some(LeftBy { how: Left::Kept, .. }) | None, true) => {
                    vec![format!("add --delete-key {} to the command", other.id)]
                }
                (Some(LeftBy { how: Left::Kept, .. }) | None, false) => vec![
                    format!("akia key last-used {}", other.id),
                    format!("akia key deactivate {} (when nobody uses it)", other.id),
                ],
            },
            Self::CannotMakeRoom { .. } => vec!["akia key list".to_owned()],
            Self::RightsMissing { .. } => vec![
                "akia policy check".to_owned(),
                "akia policy manage-own-keys (the policy to ask your administrator for)".to_owned(),
            ],
            Self::Place(_) | Self::Store(_) => vec!["mend what is said above, then run the same command again".to_owned()],
            Self::Busy { .. } => vec!["akia history".to_owned()],
            Self::Unreadable { hint, .. } => vec![hint.clone()],
            Self::Unfinished { rotation, .. } => {
                vec![format!("akia resume {rotation}"), format!("akia undo {rotation}")]
            }
            Self::PlacesDisagree { second, .. } => vec![
                "find out which of the two is in use: akia key last-used KEY-ID".to_owned(),
                format!("then put that one into {second}, too, or take the place out of akia.toml"),
            ],
            Self::WhichKey { keys, .. } => {
                keys.iter().map(|key| format!("add --key {key} to the command, if that is the one in use")).collect()
            }
            Self::NoKey { .. } => vec!["akia service create NAME (makes a key and delivers it)".to_owned()],
            Self::KeyOfAnother { key, .. } => vec![format!("akia key last-used {key} (whose it is)")],
            Self::NoPlace { user } => vec![format!("akia setup PROFILE --create --user {user}")],
        }
    }
}

fn list(keys: &[AccessKeyId]) -> String {
    keys.iter().map(AccessKeyId::as_str).collect::<Vec<_>>().join(", ")
}

/// The name as a shell takes it.
fn quote_name(name: &ProfileName) -> std::borrow::Cow<'_, str> {
    akia_core::cheatsheet::quote(name.as_str())
}

/// A time to the minute, as AWS knows it.
pub(super) fn minute(at: jiff::Timestamp) -> String {
    let text = at.to_string();
    format!("{} UTC", text.get(..16).unwrap_or(&text).replace('T', " "))
}
