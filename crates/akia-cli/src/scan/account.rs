//! What a scan reads of an AWS account: the blocks of snapshots, and the texts that people write keys into.

use std::fmt;
use std::str::FromStr;

use akia_core::leak::{Part, Place, Sighting, Why};
use akia_core::{ImageId, Region, SnapshotId};
use akia_io::aws::Caller;
use akia_io::exposure::{Piece, snapshot, user_data};
use akia_scan::Scan;
use akia_scan::blocks::Disk;

use crate::context::Context;
use crate::error::CommandError;
use crate::progress::Progress;
use crate::signing::{self, Mfa};

/// A snapshot, or an image and so those of its disks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Volume {
    /// `snap-…`.
    Snapshot(SnapshotId),
    /// `ami-…`.
    Image(ImageId),
}

impl FromStr for Volume {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is neither a snapshot (snap-…) nor an image (ami-…)");
        match text.parse() {
            Ok(id) => Ok(Self::Snapshot(id)),
            Err(_) => text.parse().map(Self::Image).map_err(|_| wrong()),
        }
    }
}

impl fmt::Display for Volume {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(id) => formatter.pad(id.as_str()),
            Self::Image(id) => formatter.pad(id.as_str()),
        }
    }
}

/// What of an account is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OfAccount<'a> {
    pub(crate) volumes: &'a [Volume],
    pub(crate) earlier: Option<&'a SnapshotId>,
    pub(crate) user_data: bool,
    pub(crate) all_regions: bool,
}

impl OfAccount<'_> {
    /// Whether AWS is needed at all.
    pub(crate) fn is_wanted(self) -> bool {
        !self.volumes.is_empty() || self.user_data
    }
}

/// Reads it; says how the sources are called.
///
/// # Errors
/// When nothing can be signed, or a snapshot that was named cannot be listed. Whatever else cannot be read is told in the coverage.
pub(super) async fn read(context: &Context, scan: &Scan, wanted: OfAccount<'_>) -> Result<Vec<String>, CommandError> {
    let files = context.aws_files()?;
    let signed = signing::sign(context, &files, Mfa::IfGiven).await?;
    let (caller, home) = (&signed.caller, signed.caller.region());
    let mut sources = Vec::new();
    for volume in wanted.volumes {
        for id in snapshots(scan, caller, &home, volume).await? {
            one_snapshot(context, scan, caller, &home, &id, wanted.earlier).await?;
            sources.push(id.to_string());
        }
    }
    if wanted.user_data {
        let regions = if wanted.all_regions {
            caller.regions(&home).await.map_err(|error| signing::refused("the regions cannot be listed", &error))?
        } else {
            vec![home]
        };
        let read = user_data::read(caller, &regions, &mut |piece| look(scan, &piece)).await;
        if read.encrypted_parameters > 0 {
            context
                .say(&format!("not asked for, because they are encrypted: {} parameters", read.encrypted_parameters));
        }
        scan.ledger.add(read.coverage());
        let names: Vec<&str> = regions.iter().map(Region::as_str).collect();
        sources.push(format!("user data in {}", names.join(", ")));
    }
    Ok(sources)
}

async fn snapshots(
    scan: &Scan,
    caller: &Caller,
    region: &Region,
    volume: &Volume,
) -> Result<Vec<SnapshotId>, CommandError> {
    match volume {
        Volume::Snapshot(id) => Ok(vec![id.clone()]),
        Volume::Image(id) => {
            let disks = snapshot::of_image(caller, region, id).await;
            let disks = disks.map_err(|error| signing::refused(&format!("{id} cannot be described"), &error))?;
            if disks.is_empty() {
                scan.ledger.skip(id.as_str(), Why::Missing, "it has no disk that a snapshot keeps");
            }
            Ok(disks.into_iter().map(|disk| disk.snapshot).collect())
        }
    }
}

async fn one_snapshot(
    context: &Context,
    scan: &Scan,
    caller: &Caller,
    region: &Region,
    id: &SnapshotId,
    earlier: Option<&SnapshotId>,
) -> Result<(), CommandError> {
    // It can be read without knowing this; a policy may lack ec2:DescribeSnapshots.
    if let Ok(described) = snapshot::describe(caller, region, id).await
        && let Some((why, detail)) = snapshot::unreadable(&described)
    {
        scan.ledger.skip(id.as_str(), why, detail);
        return Ok(());
    }
    let line = Progress::new(context).line(id.as_str());
    line.step("reading");
    let disk = Disk::new(scan, id.as_str());
    let mut blocks = disk.blocks();
    let options = snapshot::Options { earlier: earlier.cloned(), ..snapshot::Options::default() };
    let mut take = |block: snapshot::Block<'_>| blocks.take(block.offset, block.bytes);
    let read = snapshot::read(caller, region, id, &options, &mut take).await;
    blocks.finish();
    disk.finish();
    let read = read.map_err(|error| signing::refused(&format!("the blocks of {id} cannot be listed"), &error))?;
    line.finish(&format!("{} blocks of a volume of {} GiB", read.listed, read.volume_gib));
    scan.ledger.add(read.coverage);
    Ok(())
}

/// A text of an account.
fn look(scan: &Scan, piece: &Piece) {
    let place = Place {
        source: format!("aws://{}/{}", piece.region, piece.service),
        path: piece.resource.clone(),
        part: piece.part,
        line: None,
        offset: None,
        git: None,
    };
    if piece.part == Part::UserData {
        return scan.bytes(&place, &piece.bytes);
    }
    let examination = scan.detector.examine(&piece.bytes);
    if examination.cut {
        scan.ledger.skip(piece.resource.as_str(), Why::TooDeep, akia_scan::CUT);
    }
    for found in examination.found {
        let path = match piece.name_at(found.span.start) {
            Some(name) => format!("{} {name}", piece.resource),
            None => piece.resource.clone(),
        };
        let line = (piece.part == Part::Settings).then_some(found.line);
        scan.ledger.found(Sighting { found, place: Place { path, line, ..place.clone() } });
    }
}

#[cfg(test)]
mod tests {
    use super::Volume;

    #[test]
    fn snapshots_and_images_are_told_apart() {
        assert!(matches!("snap-0123456789abcdef0".parse(), Ok(Volume::Snapshot(_))));
        assert!(matches!("ami-0123456789abcdef0".parse(), Ok(Volume::Image(_))));
        assert!("vol-0123456789abcdef0".parse::<Volume>().is_err());
    }
}
