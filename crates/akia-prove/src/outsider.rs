//! What people and programs do that are not akia.

use std::fs;

use akia_sandbox::LastUsed;

use crate::director::{Director, Maker, USER};

/// One thing that somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mischief {
    UseDisplaced,
    ActivateDisplaced,
    DeleteDisplaced,
    DeactivateNew,
    DeleteNew,
    CreateKey,
    AddLine,
    PutOtherKey,
    PutOldCopy,
    RemoveKey,
}

pub(crate) const ALL: [Mischief; 10] = [
    Mischief::UseDisplaced,
    Mischief::ActivateDisplaced,
    Mischief::DeleteDisplaced,
    Mischief::DeactivateNew,
    Mischief::DeleteNew,
    Mischief::CreateKey,
    Mischief::AddLine,
    Mischief::PutOtherKey,
    Mischief::PutOldCopy,
    Mischief::RemoveKey,
];

impl Mischief {
    /// Whether it writes to a file.
    pub(crate) fn is_of_files(self) -> bool {
        matches!(self, Self::AddLine | Self::PutOtherKey | Self::PutOldCopy | Self::RemoveKey)
    }
}

/// Does it, on the first machine.
pub(crate) fn act(director: &Director, mischief: Mischief) {
    let keys = director.keys();
    let (displaced, new) = {
        let inner = director.inner();
        let displaced = inner.displaced[0].iter().rfind(|key| keys.contains_key(*key)).cloned();
        let mut ours = inner.makers.iter().filter(|(_, maker)| **maker == Maker::Machine(0));
        let new = ours.rfind(|(key, _)| keys.contains_key(*key) && !inner.displaced[0].contains(*key));
        (displaced, new.map(|(key, _)| key.clone()))
    };
    let sandbox = &director.sandbox;
    let Ok(user) = sandbox.account().user(USER) else { return };
    match (mischief, displaced, new) {
        (Mischief::UseDisplaced, Some(key), _) => {
            let used = LastUsed { at: sandbox.now(), service: "s3".into(), region: "eu-west-1".into() };
            let _ = sandbox.set_last_used(&key, Some(used));
        }
        (Mischief::ActivateDisplaced, Some(key), _) => {
            let _ = user.set_key_active(&key, true);
            director.meddle(&key, None);
            director.note_activated(&key);
        }
        (Mischief::DeleteDisplaced, Some(key), _) | (Mischief::DeleteNew, _, Some(key)) => {
            let _ = user.delete_access_key(&key);
            director.meddle(&key, None);
        }
        (Mischief::DeactivateNew, _, Some(key)) => {
            let _ = user.set_key_active(&key, false);
            director.meddle(&key, None);
        }
        (Mischief::CreateKey, _, _) => {
            director.note_keys(Maker::Machine(0));
            let _ = user.add_access_key(sandbox.now());
            director.note_keys(Maker::Outsider);
        }
        (Mischief::AddLine, _, _) => write(director, |desk, file, pairs| {
            desk.sheets[file].template.insert_str(0, "# added by somebody\n");
            desk.render(file, pairs)
        }),
        (Mischief::PutOtherKey, _, _) => write(director, |desk, file, pairs| {
            let secret = ["wJalrXUtnFEMI/K7MDENG/", "bPxRfiCYEXAMPLEKEY"].concat();
            let mut pairs = pairs.to_vec();
            for (number, spot) in desk.spots.iter_mut().enumerate().filter(|(_, spot)| spot.file == file) {
                pairs[number] = Some(("AKIAIOSFODNN7EXAMPLE".to_owned(), secret.clone()));
                spot.is_touched = true;
            }
            desk.render(file, &pairs)
        }),
        (Mischief::PutOldCopy, Some(key), _) => write(director, |desk, file, pairs| {
            let Some(secret) = desk.secrets().get(&key).cloned() else { return desk.render(file, pairs) };
            let mut pairs = pairs.to_vec();
            for (number, spot) in desk.spots.iter_mut().enumerate().filter(|(_, spot)| spot.file == file) {
                pairs[number] = Some((key.clone(), secret.clone()));
                spot.is_touched = true;
            }
            desk.render(file, &pairs)
        }),
        (Mischief::RemoveKey, _, _) => write(director, |desk, file, pairs| {
            for spot in desk.spots.iter_mut().filter(|spot| spot.file == file) {
                spot.is_touched = true;
            }
            let template = &mut desk.sheets[file].template;
            let kept =
                template.split_inclusive('\n').filter(|line| !line.contains("{id ") && !line.contains("{secret "));
            *template = kept.collect();
            desk.render(file, pairs)
        }),
        _ => {}
    }
}

/// Writes a file of the first machine as the AWS CLI does: in place.
fn write(
    director: &Director,
    edit: impl FnOnce(&mut crate::folder::Desk, usize, &[Option<(String, String)>]) -> String,
) {
    let mut inner = director.inner();
    let index = inner.random.usize(..2);
    let Some(desk) = inner.desks.first_mut() else { return };
    // A file in which a key of the user stands.
    let Some(spot) = desk.spots.get(index % desk.spots.len()) else { return };
    let file = spot.file;
    let pairs = desk.pairs();
    let text = edit(desk, file, &pairs);
    fs::write(&desk.sheets[file].path, text).unwrap();
}
