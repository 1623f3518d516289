//! What will be written, shown before and after.

use akia_core::cheatsheet::{Connection, Operation, Setting, Step, quote};
use akia_core::{AccessKeyId, ProfileName, UserName};
use akia_io::profiles::AwsFiles;

use crate::aws_cli;
use crate::commands::setup::SecretStore;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report, Row};
use crate::setup::Asker;
use crate::setup::proof::Owner;
use crate::setup::replace::held_owner;
use crate::setup::source::FromCsv;
use crate::setup::spot::{Held, Spot, Wish};
use crate::signing::Signed;

/// What will be done, to be shown.
pub struct Plan<'a> {
    /// Which command asks.
    pub asker: Asker,
    /// Whose key.
    pub owner: &'a Owner,
    /// The key; `None` until it is made.
    pub key: Option<&'a AccessKeyId>,
    /// What is written.
    pub wish: &'a Wish,
    /// Where.
    pub spot: &'a Spot,
    /// What the person should know.
    pub notes: Vec<String>,
    /// Who signs, and the user that was named, where a key is made.
    pub signer: Option<(&'a Signed, Option<&'a UserName>)>,
    /// The profile that the key is copied from.
    pub copied_from: Option<&'a ProfileName>,
    /// The file that the key comes from, and whether it is deleted then.
    pub csv: Option<(&'a FromCsv, bool)>,
}

impl Plan<'_> {
    /// Prints the plan on stderr.
    pub async fn print(&self, context: &Context, files: &AwsFiles) {
        let Plan { asker: _, owner, key, wish, spot, notes, signer, copied_from, csv } = self;
        match (key, signer) {
            (Some(key), _) => context.say(&format!("setup   key {key} of {owner}; AWS accepts it")),
            (None, Some((Signed { key: by, profile: Some(profile), .. }, _))) => {
                context.say(&format!("create  a key for {owner}, signed by {by} of profile \"{profile}\""));
            }
            (None, Some((Signed { key: by, profile: None, .. }, _))) => {
                context.say(&format!("create  a key for {owner}, signed by {by} of the environment"));
            }
            (None, None) => {}
        }
        for line in spot.lines(files, wish) {
            context.say(&format!("        {line}"));
        }
        let same = key.is_some() && spot.held_key() == *key;
        match &spot.held {
            Held::InFile { .. } | Held::InKeychain { id: Some(_) } if same => {
                context.say("        the profile holds this key already");
            }
            Held::InFile { .. } | Held::InKeychain { id: Some(_) } => {
                let old = spot.held_key().map(ToString::to_string).unwrap_or_default();
                let whose = held_owner(context, files, spot).await;
                context.say(&format!("        in place of {old} ({whose}); that key stays in AWS and is not deleted,"));
                context.say("        but its secret is gone from this profile for good");
                if whose != owner.to_string() {
                    context.say("        warning: the profile changes hands: another user or account than before");
                }
            }
            Held::Remains { what, .. } => {
                context.say(&format!("        in place of what is there: the profile {what}"))
            }
            Held::InKeychain { id: None } | Held::Nothing => {}
        }
        if let Some(id) = spot.keychain_leftover.as_ref().filter(|id| spot.held_key() != Some(*id) && Some(*id) != *key)
        {
            context.say(&format!("        in place of {id} in the keychain"));
        }
        if let Some(name) = copied_from {
            context.say(&format!(
            "        note: profiles \"{name}\" and \"{}\" then share one key, which is second best: whoever loses it \
             loses both, and use of the one cannot be told from the other; akia rotate rotates them together",
            spot.profile
        ));
        }
        if let Some((csv, delete)) = csv {
            if csv.user.as_ref().is_some_and(|user| !user.as_str().eq_ignore_ascii_case(owner.user.as_str())) {
                context.say("        warning: the file names another user than AWS does");
            }
            if *delete {
                let password = if csv.password { " (a console password may stand in it, too)" } else { "" };
                context.say(&format!("        then delete {}{password}", csv.path.display()));
            }
        }
        if wish.region.is_none() && spot.region.is_none() {
            context.say("        note: the profile has no region; add --region to give it one");
        }
        for note in notes {
            context.say(&format!("        note: {note}"));
        }
        if context.globals.show_aws_cli {
            aws_cli::print(context, &self.steps(context));
        }
    }

    /// The same by hand.
    fn steps(&self, context: &Context) -> Vec<Step> {
        let endpoint_url = context.globals.endpoint_url.as_ref().map(|endpoint| endpoint.url().to_string());
        let with =
            |profile: Option<ProfileName>| Connection { profile, region: None, endpoint_url: endpoint_url.clone() };
        let into = Connection { profile: Some(self.spot.profile.clone()), ..Connection::default() };
        let mut steps = Vec::new();
        if let Some((signed, user)) = self.signer {
            let user = user.cloned();
            steps.push(aws_cli::step(&Operation::CreateAccessKey { user }, &with(signed.profile.clone())));
        }
        steps.push(aws_cli::step(&Operation::ConfigureKey, &into));
        if let Some(region) = &self.wish.region {
            let set = Operation::ConfigureSet { setting: Setting::Region, value: region.to_string() };
            steps.push(aws_cli::step(&set, &into));
        }
        if let Some(output) = self.wish.output {
            let set = Operation::ConfigureSet { setting: Setting::Output, value: output.as_str().to_owned() };
            steps.push(aws_cli::step(&set, &into));
        }
        steps.push(aws_cli::step(&Operation::CallerIdentity, &with(into.profile.clone())));
        steps
    }

    /// Prints the report on stdout; `done` says how it stands.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn report(&self, context: &Context, done: &str) -> Result<Exit, CommandError> {
        context.print_done(&self.table(done))?;
        Ok(Exit::Done)
    }

    /// Prints the row as it would be.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn report_dry(&self, context: &Context, would: &str) -> Result<Exit, CommandError> {
        context.print(&self.table(would))?;
        Ok(Exit::Done)
    }

    fn table(&self, state: &str) -> Report {
        let columns = vec![
            Column::new("profile", "PROFILE"),
            Column::whole("access_key", "ACCESS KEY"),
            Column::new("user", "USER"),
            Column::whole("account", "ACCOUNT"),
            Column::new("store", "SECRET IN"),
            Column::new("region", "REGION"),
            Column::new("state", "STATE"),
        ];
        let region = self.wish.region.as_ref().or(self.spot.region.as_ref());
        let store = match self.wish.store {
            SecretStore::File => "file",
            SecretStore::Keychain => "keychain",
        };
        let mut report = Report::new(self.asker.schema(), "profiles", columns);
        let mut row = Row::from(vec![
            Cell::text(&self.spot.profile),
            Cell::maybe(self.key),
            Cell::text(&self.owner.user),
            Cell::text(&self.owner.account),
            Cell::text(store),
            Cell::maybe(region),
            Cell::text(state),
        ]);
        let replaced = self.spot.held_key().filter(|old| Some(*old) != self.key);
        row.details.insert("replaced_key".into(), serde_json::json!(replaced));
        report.push(row);
        report
    }

    /// Says how the profile is used.
    pub fn say_next(&self, context: &Context) {
        let profile = &self.spot.profile;
        if *profile != ProfileName::default_name() {
            context.say(&format!("use it: aws sts get-caller-identity --profile {}", quote(profile.as_str())));
        }
    }
}
