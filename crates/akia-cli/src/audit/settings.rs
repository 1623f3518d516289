//! Which settings an audit was made with, said so that nobody takes a weakened audit for a whole one.

use std::path::PathBuf;

use akia_core::audit::Audit;
use akia_core::rule::AuditSettings;
use akia_core::settings::Settings;
use serde_json::{Value, json};

use crate::context::Context;

/// What the settings file says that is not the default.
pub(crate) struct Held {
    path: Option<PathBuf>,
    differences: Vec<(String, String)>,
}

impl Held {
    /// Of a file that was read, or of none.
    pub(crate) fn new(path: Option<PathBuf>, settings: &Settings) -> Self {
        Self { path, differences: settings.differences() }
    }

    /// Says it in a line for the file, and one for each difference.
    pub(crate) fn tell(&self, context: &Context) {
        let Some(path) = &self.path else { return };
        if self.differences.is_empty() {
            return context.say(&format!("settings of {}: all as by default", path.display()));
        }
        context.say(&format!("settings of {}:", path.display()));
        for (key, value) in &self.differences {
            context.say(&format!("  {key} = {value}"));
        }
    }

    /// Says that overrides by organisational unit cannot hold where no account tells its units: one that is stricter than
    /// the rest would be missing in silence.
    pub(crate) fn tell_idle(&self, context: &Context, settings: &AuditSettings, audit: &Audit) {
        let waiting = settings.overrides.iter().filter(|one| !one.scope.units.is_empty()).count();
        if waiting > 0 && audit.estates.iter().all(|estate| estate.account.units.is_empty()) {
            let what = if waiting == 1 { "override by unit holds" } else { "overrides by unit hold" };
            context.say(&format!(
                "{waiting} {what} nowhere: the organisation was not read, and no account tells its units"
            ));
        }
    }

    /// For the JSON form.
    pub(crate) fn json(&self) -> Value {
        let differences: serde_json::Map<String, Value> =
            self.differences.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        json!({ "file": self.path, "differences": differences })
    }
}
