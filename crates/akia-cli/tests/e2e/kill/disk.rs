//! What a disk may hold after a power loss, as file systems are free to leave it.
//!
//! A recorded run becomes a list of acts. An act on the bytes of a file is durable once that file was synced after it,
//! an act on a name once its folder was. Everything else may be there or not, each by itself: later ones without earlier
//! ones, names without bytes, bytes without names, half of a write. Where an act is missing, a file that others made
//! longer has zeros. Real file systems allow less; what survives here survives there.
//!
//! With n acts that are not durable there are 2^n disks and more. At each step these are looked at: none of the acts,
//! all, each beginning of the list, each act missing, each act alone, each write as its first or its last half, all
//! names without bytes, all bytes without names, and eight random choices.

use super::tracer::Step;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Choices at random, for each step.
const RANDOM: usize = 8;

/// Names and the files behind them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    files: BTreeMap<usize, Vec<u8>>,
    names: BTreeMap<PathBuf, usize>,
}

/// One thing that was done, which a disk keeps or loses.
#[derive(Clone, Debug)]
enum Act {
    Name { path: PathBuf, file: usize },
    Rename { from: PathBuf, to: PathBuf, file: usize },
    Unname { path: PathBuf },
    Write { file: usize, at: usize, bytes: Vec<u8> },
    Truncate { file: usize, length: usize },
}

/// A recorded run: what was done, and since when it cannot be lost.
pub(crate) struct Recording {
    before: Disk,
    acts: Vec<Done>,
}

struct Done {
    act: Act,
    /// The step that did it.
    at: usize,
    /// The step that made it durable.
    durable: Option<usize>,
}

impl Disk {
    pub(crate) fn bytes(&self, path: &Path) -> Option<&[u8]> {
        let file = self.names.get(path)?;
        Some(self.files.get(file).map_or(&[], Vec::as_slice))
    }

    /// The files of a folder by name, without those of its subfolders.
    pub(crate) fn folder(&self, folder: &Path) -> Vec<(&Path, &[u8])> {
        let inside = self.names.keys().filter(|path| path.parent() == Some(folder));
        inside.map(|path| (path.as_path(), self.bytes(path).unwrap_or_default())).collect()
    }

    fn take(&mut self, act: &Act) {
        match act {
            Act::Name { path, file } => {
                self.names.insert(path.clone(), *file);
            }
            Act::Rename { from, to, file } => {
                self.names.remove(from);
                self.names.insert(to.clone(), *file);
            }
            Act::Unname { path } => {
                self.names.remove(path);
            }
            Act::Write { file, at, bytes } => {
                let content = self.files.entry(*file).or_default();
                if content.len() < at + bytes.len() {
                    content.resize(at + bytes.len(), 0);
                }
                content[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            Act::Truncate { file, length } => self.files.entry(*file).or_default().resize(*length, 0),
        }
    }
}

impl Act {
    /// The folders whose sync makes it durable, if it is about names.
    fn folders(&self) -> Vec<&Path> {
        match self {
            Self::Name { path, .. } | Self::Unname { path } => path.parent().into_iter().collect(),
            Self::Rename { from, to, .. } => from.parent().into_iter().chain(to.parent()).collect(),
            Self::Write { .. } | Self::Truncate { .. } => Vec::new(),
        }
    }

    /// The file whose sync makes it durable, if it is about bytes.
    fn file(&self) -> Option<usize> {
        match self {
            Self::Write { file, .. } | Self::Truncate { file, .. } => Some(*file),
            Self::Name { .. } | Self::Unname { .. } | Self::Rename { .. } => None,
        }
    }

    /// Its first and its last half, where a disk may have written one without the other.
    fn halves(&self) -> Vec<Self> {
        match self {
            Self::Write { file, at, bytes } if bytes.len() > 1 => {
                let (first, last) = bytes.split_at(bytes.len() / 2);
                let half = |at, bytes: &[u8]| Self::Write { file: *file, at, bytes: bytes.to_vec() };
                vec![half(*at, first), half(at + first.len(), last)]
            }
            _ => Vec::new(),
        }
    }
}

impl Recording {
    /// `steps` are what a run has done, on a disk that had these files.
    pub(crate) fn new(before: &[(PathBuf, Vec<u8>)], steps: &[Step]) -> Self {
        let mut disk = Disk::default();
        let mut files = 0;
        for (path, bytes) in before {
            disk.names.insert(path.clone(), files);
            disk.files.insert(files, bytes.clone());
            files += 1;
        }
        let mut recording = Self { before: disk.clone(), acts: Vec::new() };
        for (at, step) in steps.iter().enumerate() {
            for act in acts_of(step, &disk, &mut files) {
                disk.take(&act);
                recording.acts.push(Done { act, at, durable: None });
            }
            if let Step::Sync { path } = step {
                recording.sync(path, disk.names.get(path).copied(), at);
            }
        }
        recording
    }

    fn sync(&mut self, path: &Path, file: Option<usize>, at: usize) {
        for done in self.acts.iter_mut().filter(|done| done.durable.is_none()) {
            let of_bytes = file.is_some() && done.act.file() == file;
            if of_bytes || done.act.folders().contains(&path) {
                done.durable = Some(at);
            }
        }
    }

    /// The disk after the first `steps` steps, with nothing lost.
    pub(crate) fn whole(&self, steps: usize) -> Disk {
        let mut disk = self.before.clone();
        self.acts.iter().filter(|done| done.at < steps).for_each(|done| disk.take(&done.act));
        disk
    }

    /// What a power loss after the first `steps` steps may leave; see the head of this file.
    pub(crate) fn after_power_loss(&self, steps: usize) -> Vec<Disk> {
        let done = || self.acts.iter().filter(|done| done.at < steps);
        let is_durable = |done: &Done| done.durable.is_some_and(|durable| durable < steps);
        // A sync makes all earlier acts on the same file or folder durable, so those in doubt are the later ones.
        let mut base = self.before.clone();
        done().filter(|done| is_durable(done)).for_each(|done| base.take(&done.act));
        let doubtful: Vec<&Act> = done().filter(|done| !is_durable(done)).map(|done| &done.act).collect();
        let mut disks = Vec::new();
        let mut with = |keep: &dyn Fn(usize) -> bool, torn: Option<(usize, &Act)>| {
            let mut disk = base.clone();
            for (index, act) in doubtful.iter().enumerate() {
                match torn {
                    Some((at, half)) if at == index => disk.take(half),
                    _ if keep(index) => disk.take(act),
                    _ => {}
                }
            }
            disks.push(disk);
        };
        with(&|_| false, None);
        with(&|_| true, None);
        let mut random = fastrand::Rng::with_seed(steps as u64);
        for (at, act) in doubtful.iter().enumerate() {
            with(&|index| index <= at, None);
            with(&|index| index == at, None);
            with(&|index| index != at, None);
            for half in act.halves() {
                with(&|_| true, Some((at, &half)));
                with(&|index| index < at, Some((at, &half)));
            }
        }
        if doubtful.len() > 2 {
            with(&|index| doubtful[index].file().is_some(), None);
            with(&|index| doubtful[index].file().is_none(), None);
            for _ in 0..RANDOM {
                let kept: Vec<bool> = doubtful.iter().map(|_| random.bool()).collect();
                with(&|index| kept[index], None);
            }
        }
        disks
    }
}

fn acts_of(step: &Step, disk: &Disk, files: &mut usize) -> Vec<Act> {
    let file_of = |path: &PathBuf| disk.names.get(path).copied();
    match step {
        Step::Open { path, truncate } => match file_of(path) {
            Some(file) if *truncate => vec![Act::Truncate { file, length: 0 }],
            Some(_) => Vec::new(),
            None => {
                *files += 1;
                vec![Act::Name { path: path.clone(), file: *files }]
            }
        },
        // A file without a name is lost with the power, whatever is written to it.
        Step::Write { path, at, bytes } => file_of(path)
            .map(|file| Act::Write { file, at: usize::try_from(*at).expect("small"), bytes: bytes.clone() })
            .into_iter()
            .collect(),
        Step::Truncate { path, length } => file_of(path)
            .map(|file| Act::Truncate { file, length: usize::try_from(*length).expect("small") })
            .into_iter()
            .collect(),
        Step::Rename { from, to } => {
            let act = file_of(from).map(|file| Act::Rename { from: from.clone(), to: to.clone(), file });
            act.into_iter().collect()
        }
        Step::Unlink { path } => vec![Act::Unname { path: path.clone() }],
        // Folders are made once and synced at once; an image without one would be an image before it.
        Step::MakeFolder { .. } | Step::Sync { .. } | Step::Send { .. } => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The textbook: write, sync, rename, sync the folder. Without the first sync the name may lead to nothing.
    #[test]
    fn a_rename_may_overtake_bytes_that_were_not_synced() {
        let path = |name: &str| PathBuf::from(format!("/d/{name}"));
        let write = Step::Write { path: path("new"), at: 0, bytes: b"new".to_vec() };
        let steps = |synced: bool| {
            let mut steps = vec![Step::Open { path: path("new"), truncate: false }, write.clone()];
            if synced {
                steps.push(Step::Sync { path: path("new") });
            }
            steps.push(Step::Rename { from: path("new"), to: path("file") });
            steps
        };
        let contents = |synced: bool| {
            let steps = steps(synced);
            let recording = Recording::new(&[(path("file"), b"old".to_vec())], &steps);
            assert_eq!(recording.whole(steps.len()).bytes(&path("file")), Some(b"new".as_slice()));
            let disks = recording.after_power_loss(steps.len()).into_iter();
            let mut found: Vec<Vec<u8>> = disks.map(|disk| disk.bytes(&path("file")).unwrap().to_vec()).collect();
            found.sort();
            found.dedup();
            found
        };
        assert_eq!(contents(true), [b"new".to_vec(), b"old".to_vec()]);
        assert!(contents(false).contains(&Vec::new()));
    }
}
