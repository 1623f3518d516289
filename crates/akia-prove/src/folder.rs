//! The files of one machine: what stands in them, and what must not have changed. Read and judged with code of its own,
//! so that one misunderstanding cannot hide in both.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use akia_sandbox::KeyPair;

/// A profile that holds the user's key.
#[derive(Debug, Clone)]
pub(crate) struct Spot {
    pub(crate) file: usize,
    /// As it stands between brackets.
    pub(crate) section: String,
    /// Somebody else has written here: what stands here now is theirs to answer for.
    pub(crate) is_touched: bool,
}

/// A file with everything but the user's keys.
#[derive(Debug, Clone)]
pub(crate) struct Sheet {
    pub(crate) path: PathBuf,
    pub(crate) template: String,
}

/// One machine.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) folder: PathBuf,
    pub(crate) sheets: Vec<Sheet>,
    pub(crate) spots: Vec<Spot>,
    /// The one secret of each key, as first seen.
    secrets: BTreeMap<String, String>,
}

impl Desk {
    /// Writes the files of a new machine, as its seed has it.
    pub(crate) fn furnish(
        folder: &Path,
        random: &mut fastrand::Rng,
        key: &KeyPair,
        mfa_serial: Option<&str>,
        boss: Option<&KeyPair>,
    ) -> Self {
        fs::create_dir_all(folder).unwrap();
        let mut spots = Vec::new();
        let (mut credentials, mut config) = (String::new(), String::new());
        let newline = if random.u8(..8) == 0 { "\r\n" } else { "\n" };
        let space = if random.bool() { " = " } else { "=" };
        let count = random.usize(1..=3);
        for number in 0..count {
            let in_config = if number == 0 { random.u8(..5) == 0 } else { random.bool() };
            let name = ["a", "b", "c"][number];
            let (text, section) =
                if in_config { (&mut config, format!("profile {name}")) } else { (&mut credentials, name.to_owned()) };
            if random.u8(..3) == 0 {
                *text += &format!("# profile {name}, mine; do not touch{newline}");
            }
            *text += &format!("[{section}]{newline}");
            if random.bool() {
                *text += &format!("region{space}eu-west-{}{newline}", number + 1);
            }
            *text += &format!("aws_access_key_id{space}{{id {number}}}{newline}");
            if random.u8(..4) == 0 {
                *text += &format!("# the other half{newline}");
            }
            *text += &format!("aws_secret_access_key{space}{{secret {number}}}{newline}");
            if let Some(serial) = mfa_serial {
                *text += &format!("mfa_serial{space}{serial}{newline}");
            }
            if random.u8(..3) == 0 {
                *text += newline;
            }
            spots.push(Spot { file: usize::from(in_config), section, is_touched: false });
        }
        if let Some(boss) = boss {
            credentials += &format!(
                "[boss]{newline}aws_access_key_id{space}{}{newline}aws_secret_access_key{space}{}{newline}",
                boss.id, boss.secret
            );
        }
        if random.u8(..6) == 0 && credentials.ends_with(newline) {
            credentials.truncate(credentials.len() - newline.len());
        }
        let mut sheets = Vec::new();
        for (name, template) in [("credentials", credentials), ("config", config)] {
            let path = folder.join(name);
            if random.u8(..5) == 0 {
                let real = folder.join("elsewhere");
                fs::create_dir_all(&real).unwrap();
                fs::write(real.join(name), "").unwrap();
                std::os::unix::fs::symlink(real.join(name), &path).unwrap();
            }
            sheets.push(Sheet { path, template });
        }
        let secrets = [(key.id.clone(), key.secret.clone())].into();
        let desk = Self { folder: folder.to_owned(), sheets, spots, secrets };
        let pairs: Vec<Option<(String, String)>> =
            desk.spots.iter().map(|_| Some((key.id.clone(), key.secret.clone()))).collect();
        for (index, sheet) in desk.sheets.iter().enumerate() {
            fs::write(&sheet.path, desk.render(index, &pairs)).unwrap();
        }
        desk
    }

    /// The file with these keys in it.
    pub(crate) fn render(&self, file: usize, pairs: &[Option<(String, String)>]) -> String {
        let mut text = self.sheets[file].template.clone();
        for (number, pair) in pairs.iter().enumerate() {
            if let Some((id, secret)) = pair {
                text = text.replace(&format!("{{id {number}}}"), id);
                text = text.replace(&format!("{{secret {number}}}"), secret);
            }
        }
        text
    }

    /// What stands in each place: id and secret.
    pub(crate) fn pairs(&self) -> Vec<Option<(String, String)>> {
        let texts: Vec<String> =
            self.sheets.iter().map(|sheet| fs::read_to_string(&sheet.path).unwrap_or_default()).collect();
        self.spots.iter().map(|spot| pair_in(&texts[spot.file], &spot.section)).collect()
    }

    /// Each place holds a whole pair, of a key that is active, unless somebody else had a hand in it.
    pub(crate) fn judge(
        &mut self,
        keys: &BTreeMap<String, bool>,
        meddled: &BTreeSet<String>,
        wrong: &mut dyn FnMut(String),
    ) {
        for (spot, pair) in self.spots.iter().zip(self.pairs()) {
            if spot.is_touched {
                continue;
            }
            let section = &spot.section;
            let Some((id, secret)) = pair else {
                wrong(format!("lost secret: [{section}] holds no key"));
                continue;
            };
            let known = self.secrets.entry(id.clone()).or_insert_with(|| secret.clone());
            if *known != secret {
                wrong(format!("lock-out: [{section}] holds halves of two keys, {id} and another's secret"));
            }
            if keys.get(&id) != Some(&true) && !meddled.contains(&id) {
                let state = if keys.contains_key(&id) { "inactive" } else { "deleted" };
                wrong(format!("lock-out: [{section}] holds {id}, which is {state}"));
            }
        }
    }

    /// Everything but the keys is as it was.
    pub(crate) fn judge_bytes(&self, wrong: &mut dyn FnMut(String)) {
        let pairs = self.pairs();
        for (index, sheet) in self.sheets.iter().enumerate() {
            let text = fs::read_to_string(&sheet.path).unwrap_or_default();
            if text != self.render(index, &pairs) {
                let name = sheet.path.file_name().unwrap_or_default().display();
                wrong(format!("bytes outside the keys of {name} were changed"));
            }
        }
    }

    /// Every secret that was ever seen in a place.
    pub(crate) fn secrets(&self) -> &BTreeMap<String, String> {
        &self.secrets
    }
}

/// The pair of a section. Halves are `None`.
fn pair_in(text: &str, section: &str) -> Option<(String, String)> {
    let (mut inside, mut id, mut secret) = (false, None, None);
    for line in text.lines() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name == section;
        } else if inside && let Some((name, value)) = line.split_once('=') {
            match name.trim() {
                "aws_access_key_id" => id = Some(value.trim().to_owned()),
                "aws_secret_access_key" => secret = Some(value.trim().to_owned()),
                _ => {}
            }
        }
    }
    Some((id?, secret?))
}
