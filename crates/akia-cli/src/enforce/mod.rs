//! What `akia enforce` is made of.

pub(crate) mod applying;
pub(crate) mod cases;
mod desk;
pub(crate) mod lint;
mod notices;
pub(crate) mod planning;
pub(crate) mod quarantine;
pub(crate) mod switch;

use akia_core::enforce::{EnforcePolicy, Roles};
use akia_core::ids::Partition;
use akia_core::settings::Settings;
use akia_io::aws::CallerIdentity;
use akia_io::enforce::GrantedFile;
use akia_io::organization::{self, Entry};
use akia_io::store::SharedStore;

use crate::args::ConfigArgs;
use crate::commands::enforce::ReachArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::organization as hub;
use crate::workbench;

/// The settings with a policy in them.
pub(crate) struct Agreed {
    /// All.
    pub(crate) settings: Settings,
    /// The policy.
    pub(crate) policy: EnforcePolicy,
}

/// Reads the settings, and what was granted on a page of `akia serve`.
///
/// # Errors
/// Without a policy, or where the grants cannot be read.
pub(crate) fn agreed(context: &Context, config: &ConfigArgs) -> Result<Agreed, CommandError> {
    let loaded = config.load(context)?;
    let place = loaded.path.as_ref().map_or_else(
        || "there is no akia.toml".to_owned(),
        |path| format!("{} has no [enforce] table", path.display()),
    );
    let Some(mut policy) = loaded.settings.enforce.clone() else {
        return Err(CommandError::usage(format_args!("there is no policy to enforce: {place}"))
            .now("nothing was changed")
            .next("write one: docs/settings.md has an example of everything, and [enforce] alone takes the defaults")
            .next("akia enforce lint --config FILE (checks it)"));
    };
    if let Some(folder) = workbench::existing_state_folder(context)? {
        let granted = GrantedFile::of(&folder).read();
        policy.exemptions.extend(granted.map_err(|error| CommandError::failed(&error).now("nothing was changed"))?);
    }
    Ok(Agreed { settings: loaded.settings, policy })
}

/// How the accounts of others are entered to read them: what the command line says, else the settings.
pub(crate) fn entry(identity: CallerIdentity, reach: &ReachArgs, roles: &Roles, session: &str) -> Entry {
    let role_name = reach.role_name.as_ref().or(roles.reader.as_ref());
    Entry {
        partition: identity.partition().unwrap_or(Partition::Aws),
        own: identity.account,
        caller_arn: identity.arn,
        role_name: role_name.map_or(hub::ROLE_NAME, String::as_str).to_owned(),
        external_id: reach.external_id.as_ref().or(roles.external_id.as_ref()).cloned(),
        session: organization::session_name(session),
    }
}

/// Reads the settings for what needs no policy; where there is one, its roles and its protection hold.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn agreed_or_default(context: &Context, config: &ConfigArgs) -> Result<Agreed, CommandError> {
    let settings = config.load(context)?.settings;
    let policy = settings.enforce.clone().unwrap_or_default();
    Ok(Agreed { settings, policy })
}

/// Every case of the journal; says so of those that cannot be read.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn all_cases(
    context: &Context,
    journal: Option<&SharedStore>,
) -> Result<Vec<akia_core::enforce::Case>, CommandError> {
    let Some(journal) = journal else { return Ok(Vec::new()) };
    let loaded = akia_io::enforce::load_all(&**journal).await;
    let loaded = loaded.map_err(|error| CommandError::failed(&error).next(error.hint()))?;
    let mut cases = Vec::with_capacity(loaded.len());
    for one in loaded {
        match one {
            Ok(case) => cases.push(case),
            Err(broken) => context.say(&format!("note: {broken}; nothing is done about its key: akia history verify")),
        }
    }
    Ok(cases)
}
