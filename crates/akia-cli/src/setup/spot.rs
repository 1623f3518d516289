//! The profile that a key is written to: what it holds now, what will be written, and that it reads back.
//!
//! Invariant: id and secret are written in one replacement of one file; nothing is written over a key that the plan
//! did not name.

use std::fmt;

use akia_core::profile::{EditError, File, FileKind, ProfileKind, RoleSource};
use akia_core::rotation::Place;
use akia_core::{AccessKeyId, ProfileName, Region};
use akia_io::edit::edit;
use akia_io::files::{FileError, rehearse};
use akia_io::place::written::{ID, SECRET, Values, rehearsal_values, values};
use akia_io::place::{Expected, KeyPair, Places, account_of};
use akia_io::profiles::{AwsFiles, KeyHolder, holder_of_key, keychain_command, kind_clause};
use akia_io::state::StateFolder;
use zeroize::Zeroizing;

use crate::commands::setup::{AwsOutput, SecretStore};
use crate::context::{Context, Environment};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::setup::source;
use crate::workbench;

const TOKENS: [&str; 2] = ["aws_session_token", "aws_security_token"];
const PROCESS: &str = "credential_process";
const REGION: &str = "region";
const OUTPUT: &str = "output";

/// What the profile holds before anything is written.
pub enum Held {
    /// No credentials.
    Nothing,
    /// A long-term key in a file.
    InFile {
        /// Which key.
        id: AccessKeyId,
        /// Which file.
        file: FileKind,
    },
    /// A key in the keychain.
    InKeychain {
        /// Which key; `None` where the entry is gone.
        id: Option<AccessKeyId>,
    },
    /// Something that is no key of use: half a key, a malformed one, temporary credentials.
    Remains {
        /// What, as a clause behind the profile's name.
        what: String,
        /// Its id as it stands in the file, whatever it is.
        file: FileKind,
    },
}

/// The profile and its place.
pub struct Spot {
    /// The profile.
    pub profile: ProfileName,
    /// What it holds now.
    pub held: Held,
    /// Its region, where it has one.
    pub region: Option<Region>,
    /// A key that a forgotten keychain entry of this profile holds.
    pub keychain_leftover: Option<AccessKeyId>,
}

/// What is to be written.
pub struct Wish {
    /// Where the secret goes.
    pub store: SecretStore,
    /// The region, where it is to be written.
    pub region: Option<Region>,
    /// The output format, where it is to be written.
    pub output: Option<AwsOutput>,
}

/// Why a key is not written as it should be.
pub struct WriteFailed {
    /// What failed, and which part is written.
    pub error: CommandError,
    /// Whether the secret is in its place all the same, and only something else is missing.
    pub secret_kept: bool,
}

impl From<WriteFailed> for CommandError {
    fn from(failed: WriteFailed) -> Self {
        failed.error
    }
}

/// Changes to one file: first what goes, then what comes.
#[derive(Default)]
struct Edits {
    remove: Vec<&'static str>,
    set: Vec<(&'static str, Zeroizing<String>)>,
}

impl Edits {
    fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty()
    }

    fn apply(&self, file: &File, profile: &ProfileName) -> Result<File, EditError> {
        let removed = if self.remove.is_empty() { file.clone() } else { file.remove(profile, &self.remove)? };
        if self.set.is_empty() {
            return Ok(removed);
        }
        let values: Vec<(&str, &str)> = self.set.iter().map(|(key, value)| (*key, value.as_str())).collect();
        removed.set(profile, &values)
    }
}

/// Why a file was not edited.
#[derive(Debug, thiserror::Error)]
enum Unwritten {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error("profile \"{profile}\" in the {file} was changed by another program meanwhile")]
    Changed { profile: ProfileName, file: FileKind },
}

impl Unwritten {
    fn hint(&self) -> String {
        match self {
            Self::File(error) => error.hint(),
            Self::Edit(_) => "mend the file in an editor, then run the same command again".to_owned(),
            Self::Changed { .. } => "run the same command again".to_owned(),
        }
    }
}

impl Spot {
    /// Looks at the profile.
    ///
    /// # Errors
    /// When it is of a kind that a key must not be put beside, or cannot be edited.
    pub fn find(
        context: &Context,
        files: &AwsFiles,
        profile: &ProfileName,
        store: SecretStore,
    ) -> Result<Self, CommandError> {
        let keychain_leftover = match store {
            // Opening the keychain finds out, before anything else, whether there is one.
            SecretStore::Keychain => source::keychain_pair(context, profile)?.map(|pair| pair.id),
            SecretStore::File => None,
        };
        let spot = |held, region| Self { profile: profile.clone(), held, region, keychain_leftover };
        let Some(found) = files.profiles().find(profile) else { return Ok(spot(Held::Nothing, None)) };
        if let Some(trouble) = &found.trouble {
            return Err(CommandError::failed(format_args!("profile \"{profile}\" cannot be edited: {trouble}"))
                .next("mend the file in an editor, then run the same command again"));
        }
        let region = found.region.clone();
        let remains = |file: FileKind| Held::Remains { what: kind_clause(&found.kind), file };
        let held = match holder_of_key(files.profiles(), found) {
            KeyHolder::File { profile: holder, id } if holder == profile => {
                let file = found.keys.first().map_or(FileKind::Credentials, |key| key.file);
                Held::InFile { id: id.clone(), file }
            }
            KeyHolder::File { profile: holder, .. } => {
                return Err(beside(profile, &kind_clause(&found.kind)).next(format!(
                    "its long-term key is in profile \"{holder}\": akia setup {} --replace",
                    akia_core::cheatsheet::quote(holder.as_str())
                )));
            }
            KeyHolder::Keychain { .. } => {
                Held::InKeychain { id: source::keychain_pair(context, profile)?.map(|pair| pair.id) }
            }
            KeyHolder::None { .. } => match &found.kind {
                ProfileKind::Empty => Held::Nothing,
                ProfileKind::IncompleteKey { file, .. } | ProfileKind::BadKey { file, .. } => remains(*file),
                ProfileKind::Temporary { file, .. } => remains(*file),
                ProfileKind::Role { source: RoleSource::Invalid { reason }, .. } => {
                    return Err(beside(profile, &format!("assumes a role, and {reason}")));
                }
                ProfileKind::Role { .. }
                | ProfileKind::Sso { .. }
                | ProfileKind::WebIdentity { .. }
                | ProfileKind::CredentialProcess { .. }
                | ProfileKind::Login { .. }
                | ProfileKind::StaticKey { .. } => return Err(beside(profile, &kind_clause(&found.kind))),
            },
        };
        Ok(spot(held, region))
    }

    /// The key that the profile holds now.
    #[must_use]
    pub fn held_key(&self) -> Option<&AccessKeyId> {
        match &self.held {
            Held::InFile { id, .. } => Some(id),
            Held::InKeychain { id } => id.as_ref(),
            Held::Nothing | Held::Remains { .. } => None,
        }
    }

    /// What will be written, a line each.
    #[must_use]
    pub fn lines(&self, files: &AwsFiles, wish: &Wish) -> Vec<String> {
        let mut lines = Vec::new();
        let key_file = self.key_file();
        match wish.store {
            SecretStore::File => {
                lines.push(format!(
                    "id and secret to profile \"{}\" in {}",
                    self.profile,
                    files.path(key_file).display()
                ));
            }
            SecretStore::Keychain => {
                lines.push(format!("id and secret to the keychain, under profile \"{}\"", self.profile));
                let config = files.path(FileKind::Config).display();
                lines.push(format!("credential_process to profile \"{}\" in {config}", self.profile));
            }
        }
        let settings =
            [(REGION, wish.region.as_ref().map(Region::as_str)), (OUTPUT, wish.output.map(AwsOutput::as_str))];
        for (name, value) in settings {
            if let Some(value) = value {
                let file = files.path(self.setting_file(files, name)).display();
                lines.push(format!("{name} {value} to {file}"));
            }
        }
        lines
    }

    /// Goes through everything that [`Spot::write`] does without changing anything. Gives what the person should know.
    ///
    /// # Errors
    /// Whatever would stop the writing.
    pub async fn rehearse(&self, files: &AwsFiles, wish: &Wish, places: &Places) -> Result<Vec<String>, CommandError> {
        let mut notes = Vec::new();
        // With a pair of the right form: the real one may not exist yet.
        let edits = self.edits(files, wish, rehearsal_values())?;
        for (kind, edits) in edits.iter().filter(|(_, edits)| !edits.is_empty()) {
            let file = files.file(*kind).cloned().unwrap_or_else(|| File::parse(*kind, Vec::new()));
            let fails = |error: Unwritten| CommandError::failed(&error).next(error.hint());
            edits.apply(&file, &self.profile).map_err(|error| fails(error.into()))?;
            let ready = rehearse(files.path(*kind)).map_err(|error| fails(error.into()))?;
            if let Some(mode) = ready.loose_mode {
                let path = ready.path.display();
                notes.push(format!("others may read or write {path} (mode {mode:o}): chmod 600 {path}"));
            }
        }
        if wish.store == SecretStore::Keychain {
            let place = Place::Keychain { profile: self.profile.clone() };
            places.preflight(&place).await.map_err(|error| CommandError::failed(&error).next(error.hint()))?;
        }
        Ok(notes)
    }

    /// Writes the key and the settings, and reads them back.
    ///
    /// # Errors
    /// Says which part is written, where it is not all.
    pub async fn write(
        &self,
        context: &Context,
        state: &StateFolder,
        files: &AwsFiles,
        wish: &Wish,
        places: &Places,
        pair: &KeyPair,
    ) -> Result<(), WriteFailed> {
        let mut secret_kept = false;
        let failed = |error: CommandError, secret_kept: bool| WriteFailed { error, secret_kept };
        let mut written = Written::default();
        if wish.store == SecretStore::Keychain {
            let place = Place::Keychain { profile: self.profile.clone() };
            let expected: Vec<AccessKeyId> = self.keychain_leftover.iter().cloned().collect();
            let told = places.deliver(&place, pair, Expected::keys(&expected)).await;
            told.map_err(|error| failed(CommandError::failed(&error).next(error.hint()), false))?;
            written.add("the key to the keychain");
            secret_kept = true;
        }
        let edits = self.edits(files, wish, values(pair));
        let mut edits = edits.map_err(|error| failed(error, secret_kept))?;
        if wish.store == SecretStore::Keychain {
            // The way to the keychain first: the profile has a key at every moment.
            edits.reverse();
        }
        for (kind, edits) in edits.iter().filter(|(_, edits)| !edits.is_empty()) {
            let done = self.write_file(state, files, *kind, edits);
            if matches!(done, Ok(()) | Err(Unwritten::File(FileError::NotDurable { .. }))) {
                secret_kept |= wish.store == SecretStore::File && *kind == self.key_file();
                written.add(&files.path(*kind).display().to_string());
            }
            done.map_err(|error| failed(written.fails(&error.to_string()).next(error.hint()), secret_kept))?;
        }
        if let (Held::InKeychain { .. }, SecretStore::File) = (&self.held, wish.store)
            && let Ok(keychain) = workbench::keychain_opener(context)()
        {
            // The profile does not point there any more: a secret that is left behind helps nobody.
            if let Err(error) = keychain.delete(&account_of(&self.profile)) {
                context.say(&format!("note: the old key stays in the keychain: {error}"));
            }
        }
        self.read_back(context, wish, pair).map_err(|why| {
            let error = written.fails(&format!("profile \"{}\" was written, but {why}", self.profile));
            failed(error.next("akia status"), secret_kept)
        })
    }

    fn write_file(
        &self,
        state: &StateFolder,
        files: &AwsFiles,
        kind: FileKind,
        edits: &Edits,
    ) -> Result<(), Unwritten> {
        edit(state, files.path(kind), kind, |file| {
            // The key that the plan was made for, or none, must still stand there.
            let seen = files.file(kind).map_or(Ok(None), |file| file.value(&self.profile, ID)).unwrap_or(None);
            let now = file.value(&self.profile, ID).map_err(EditError::Disagreement)?;
            if now != seen {
                return Err(Unwritten::Changed { profile: self.profile.clone(), file: kind });
            }
            Ok(edits.apply(file, &self.profile)?)
        })
        .map(|_| ())
    }

    fn read_back(&self, context: &Context, wish: &Wish, pair: &KeyPair) -> Result<(), String> {
        let files = context.aws_files().map_err(|error| error.what)?;
        let found = files.profiles().find(&self.profile).ok_or("it is not there")?;
        let held = match holder_of_key(files.profiles(), found) {
            KeyHolder::File { profile, id } if wish.store == SecretStore::File && *profile == self.profile => {
                let kind = found.keys.first().map_or(FileKind::Credentials, |key| key.file);
                KeyPair { id: id.clone(), secret: files.secret(profile, kind)? }
            }
            KeyHolder::Keychain { profile } if wish.store == SecretStore::Keychain => {
                let read = source::keychain_pair(context, profile).map_err(|error| error.what)?;
                read.ok_or("the keychain does not hold the key")?
            }
            KeyHolder::File { .. } | KeyHolder::Keychain { .. } | KeyHolder::None { .. } => {
                return Err(format!("the AWS tools see something else in it: it {}", kind_clause(&found.kind)));
            }
        };
        if held.matches(pair) { Ok(()) } else { Err("another key reads back".to_owned()) }
    }

    /// The file that keeps the key: the one that has it now, else the credentials file.
    fn key_file(&self) -> FileKind {
        match &self.held {
            Held::InFile { file, .. } | Held::Remains { file, .. } => *file,
            Held::Nothing | Held::InKeychain { .. } => FileKind::Credentials,
        }
    }

    /// The file that keeps a setting: credentials where it stands there already and so wins, else config.
    fn setting_file(&self, files: &AwsFiles, name: &str) -> FileKind {
        let stands = |file: &File| matches!(file.value(&self.profile, name), Ok(Some(_)));
        if files.file(FileKind::Credentials).is_some_and(stands) { FileKind::Credentials } else { FileKind::Config }
    }

    /// All changes, credentials file first.
    fn edits(&self, files: &AwsFiles, wish: &Wish, key: Values) -> Result<Vec<(FileKind, Edits)>, CommandError> {
        let mut credentials = Edits::default();
        let mut config = Edits::default();
        let mut of = |kind: FileKind, change: &mut dyn FnMut(&mut Edits)| match kind {
            FileKind::Credentials => change(&mut credentials),
            FileKind::Config => change(&mut config),
        };
        let stands = |kind: FileKind, key: &str| {
            files.file(kind).is_some_and(|file| !matches!(file.value(&self.profile, key), Ok(None)))
        };
        let text = |text: &str| Zeroizing::new(text.to_owned());
        match wish.store {
            SecretStore::File => {
                let key_file = self.key_file();
                of(key_file, &mut |edits| edits.set.extend(key.clone()));
                for kind in [FileKind::Credentials, FileKind::Config] {
                    let gone = TOKENS.into_iter().filter(|token| stands(kind, token));
                    of(kind, &mut |edits| edits.remove.extend(gone.clone()));
                    if stands(kind, PROCESS) {
                        of(kind, &mut |edits| edits.remove.push(PROCESS));
                    }
                }
            }
            SecretStore::Keychain => {
                for kind in [FileKind::Credentials, FileKind::Config] {
                    let gone = [ID, SECRET].into_iter().chain(TOKENS).filter(|key| stands(kind, key));
                    of(kind, &mut |edits| edits.remove.extend(gone.clone()));
                }
                let program = Environment::program()?;
                let program = program.to_str().ok_or_else(|| {
                    CommandError::failed(format_args!("the path of akia is not Unicode: {}", program.display()))
                })?;
                let command = keychain_command(program, &self.profile);
                let kind = self.setting_file(files, PROCESS);
                of(kind, &mut |edits| edits.set.push((PROCESS, text(&command))));
            }
        }
        if let Some(region) = &wish.region {
            of(self.setting_file(files, REGION), &mut |edits| edits.set.push((REGION, text(region.as_str()))));
        }
        if let Some(output) = wish.output {
            of(self.setting_file(files, OUTPUT), &mut |edits| edits.set.push((OUTPUT, text(output.as_str()))));
        }
        Ok(vec![(FileKind::Credentials, credentials), (FileKind::Config, config)])
    }
}

/// What is written so far.
#[derive(Default)]
struct Written(Vec<String>);

impl Written {
    fn add(&mut self, what: &str) {
        self.0.push(what.to_owned());
    }

    fn fails(&self, what: &dyn fmt::Display) -> CommandError {
        if self.0.is_empty() {
            CommandError::failed(what)
        } else {
            CommandError::new(Exit::Partly, what)
                .now(format!("written: {}; the rest, if any, is not", self.0.join(", ")))
        }
    }
}

fn beside(profile: &ProfileName, clause: &str) -> CommandError {
    CommandError::failed(format_args!(
        "profile \"{profile}\" {clause}; with a key beside that, some AWS tools would use the one and some the other"
    ))
    .next("name another profile: akia setup NAME")
}
