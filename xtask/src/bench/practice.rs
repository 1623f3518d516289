//! The sandbox as a program of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

/// `akia sandbox`; ends when dropped.
pub(crate) struct Practice {
    child: Child,
    /// What it says of itself, in a line of JSON.
    pub(crate) told: String,
    /// Where it answers.
    pub(crate) url: String,
}

impl Practice {
    /// Starts one with these flags.
    pub(crate) fn start(akia: &Path, flags: &[&str]) -> Result<Self, String> {
        let mut command = crate::command::command(akia);
        command.arg("sandbox").args(flags).args(["--output", "json"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| format!("cannot start akia sandbox: {error}"))?;
        let output = child.stdout.take().ok_or("akia sandbox has no output")?;
        let mut practice = Self { child, told: String::new(), url: String::new() };
        BufReader::new(output)
            .read_line(&mut practice.told)
            .map_err(|error| format!("akia sandbox says nothing: {error}"))?;
        practice.url = practice.text("endpoint_url")?;
        Ok(practice)
    }

    /// A text that it says of itself.
    pub(crate) fn text(&self, name: &str) -> Result<String, String> {
        let value = self.told.split_once(&format!("\"{name}\":\"")).and_then(|(_, rest)| rest.split_once('"'));
        value.map(|(value, _)| value.to_owned()).ok_or_else(|| format!("akia sandbox does not tell its {name}"))
    }
}

impl Drop for Practice {
    fn drop(&mut self) {
        // Asked to end, it removes its temporary folder; killed, it could not.
        let asked = crate::command::command("kill").arg(self.child.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
