//! The bytes of an EBS snapshot, block by block and in order, while many blocks are on their way.
//!
//! Invariant: a block comes to the sink once, in the order of the disk, and only with the bytes that AWS's checksum is of. Memory
//! is bounded by the number of blocks that are on their way. A block that could not be read is told; a block that nobody has ever
//! written is zeros, and neither listed nor told.

use std::ops::RangeInclusive;

use akia_core::ids::{ImageId, Region, SnapshotId};
use akia_core::leak::{Coverage, Why};
use aws_smithy_async::rt::sleep::AsyncSleep as _;
use futures_util::stream::{self, StreamExt as _};

use super::gap::why;
use crate::aws::{AwsError, BlockFault, Caller, ImageDisk, ListFrom, ListedBlock, Paces, Snapshot, may_pass, pause};

/// Blocks that are on their way at the same time, unless told otherwise: 16 MiB of them.
pub const AT_ONCE: usize = 32;
/// Pages without a block that are followed, one behind the other.
const EMPTY_PAGES: usize = 1_000;
/// Blocks in a row that cannot be read before the rest is given up.
const LOST_IN_A_ROW: usize = 16;
/// How often one block may be listed again because its token is not taken.
const RENEWALS: usize = 3;

/// What is read of a snapshot, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Only what differs from this snapshot, which is an earlier one of the same volume.
    pub earlier: Option<SnapshotId>,
    /// Blocks that are on their way at the same time at most. How many there are follows what AWS bears.
    pub at_once: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { earlier: None, at_once: AT_ONCE }
    }
}

/// A block on its way to the sink.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    /// The first byte's place on the disk.
    pub offset: u64,
    /// What stands there.
    pub bytes: &'a [u8],
    /// Whether it stands right behind the block before: a key may begin there and end here.
    pub follows: bool,
}

/// What was read of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotRead {
    /// Size of the volume.
    pub volume_gib: u64,
    /// Blocks that were listed: those that somebody has written, or that differ.
    pub listed: u64,
    /// Blocks of an earlier snapshot that are zeros now.
    pub cleared: u64,
    /// Blocks that were read, their bytes, and which were not and why.
    pub coverage: Coverage,
}

/// The disks of an image that snapshots hold: `ec2:DescribeImages`.
///
/// # Errors
/// When EC2 does not answer, not this caller, or knows no such image.
pub async fn of_image(caller: &Caller, region: &Region, image: &ImageId) -> Result<Vec<ImageDisk>, AwsError> {
    caller.image_disks(region, image).await
}

/// What EC2 says of a snapshot: `ec2:DescribeSnapshots`. It can be read without knowing this.
///
/// # Errors
/// When EC2 does not answer, not this caller, or knows no such snapshot.
pub async fn describe(caller: &Caller, region: &Region, snapshot: &SnapshotId) -> Result<Snapshot, AwsError> {
    caller.snapshot(region, snapshot).await
}

/// Why a snapshot cannot be read at all, where what EC2 says of it tells.
///
/// Source: "Frequently asked questions for EBS direct APIs" and "Read Amazon EBS snapshots with EBS direct APIs" in the EBS User
/// Guide.
#[must_use]
pub fn unreadable(snapshot: &Snapshot) -> Option<(Why, String)> {
    if snapshot.is_archived {
        let restore = format!("aws ec2 restore-snapshot-tier --snapshot-id {} --temporary-restore-days 1", snapshot.id);
        return Some((Why::Unsupported, format!("it is in the archive tier, where nothing can be read; {restore}")));
    }
    let waiting = format!("it is {}: only a completed snapshot can be read", snapshot.state);
    (snapshot.state != "completed").then_some((Why::Unsupported, waiting))
}

/// Reads a snapshot: `ebs:ListSnapshotBlocks` or `ebs:ListChangedBlocks`, and `ebs:GetSnapshotBlock`.
///
/// # Errors
/// When its blocks cannot be listed. Later failures are part of the coverage.
pub async fn read(
    caller: &Caller,
    region: &Region,
    snapshot: &SnapshotId,
    options: &Options,
    sink: &mut dyn FnMut(Block<'_>),
) -> Result<SnapshotRead, AwsError> {
    let at_once = options.at_once.max(1);
    let source = Source { caller, region, snapshot, paces: Paces::new(at_once) };
    let earlier = options.earlier.as_ref();
    let mut page = caller.snapshot_blocks(region, snapshot, earlier, &ListFrom::Block(0)).await?;
    let mut reading = Reading { sink, read: SnapshotRead::of(page.volume_gib), end: None, lost: Lost::default() };
    let (mut empty_pages, mut renewed) = (0, (0, 0));
    // The block that comes next: where to list again.
    let mut next_block = 0;
    loop {
        empty_pages = if page.blocks.is_empty() { empty_pages + 1 } else { 0 };
        if page.blocks.first().is_some_and(|block| block.index < next_block) || empty_pages > EMPTY_PAGES {
            reading.stop(next_block, Why::Corrupt, "AWS lists the same blocks over and over".to_owned());
            break;
        }
        let (size, following) = (page.block_size, page.next.take());
        let mut blocks = stream::iter(page.blocks).map(|block| source.fetch(block, size)).buffered(at_once);
        let mut expired = None;
        let mut is_over = false;
        while let Some((block, fetched)) = blocks.next().await {
            if let Err(BlockFault::Expired(error)) = fetched {
                renewed = if renewed.0 == block.index { (block.index, renewed.1 + 1) } else { (block.index, 1) };
                if renewed.1 <= RENEWALS {
                    expired = Some(block.index);
                    break;
                }
                reading.lost(block.index, &error);
            } else {
                reading.take(&block, size, fetched);
            }
            next_block = block.index + 1;
            if reading.lost.is_hopeless() {
                is_over = true;
                break;
            }
        }
        drop(blocks);
        let from = match (is_over, expired, following) {
            (true, _, _) => {
                reading.give_up(next_block);
                break;
            }
            (false, Some(index), _) => ListFrom::Block(index),
            (false, None, Some(token)) => ListFrom::Page(token),
            (false, None, None) => break,
        };
        let listed = match caller.snapshot_blocks(region, snapshot, earlier, &from).await {
            // The token of a page lives for an hour, in which a slow line may not read ten thousand blocks.
            Err(AwsError::Rejected { message, .. }) if message.contains("INVALID_PAGE_TOKEN") => {
                caller.snapshot_blocks(region, snapshot, earlier, &ListFrom::Block(next_block)).await
            }
            listed => listed,
        };
        page = match listed {
            Ok(page) => page,
            Err(error) => {
                reading.stop(next_block, why(&error), error.to_string());
                break;
            }
        };
    }
    reading.lost.tell(&mut reading.read.coverage);
    Ok(reading.read)
}

impl SnapshotRead {
    fn of(volume_gib: u64) -> Self {
        Self { volume_gib, listed: 0, cleared: 0, coverage: Coverage::default() }
    }
}

/// Where blocks are fetched from.
struct Source<'a> {
    caller: &'a Caller,
    region: &'a Region,
    snapshot: &'a SnapshotId,
    paces: Paces,
}

impl Source<'_> {
    /// Fetches a block, and again while AWS is busy or the bytes are damaged. `None` is one that is zeros now.
    async fn fetch(&self, block: ListedBlock, size: u64) -> (ListedBlock, Result<Option<Vec<u8>>, BlockFault>) {
        let Some(token) = block.token.clone() else { return (block, Ok(None)) };
        let (aws, key) = (self.caller.aws(), self.caller.key().as_str());
        let mut tried = 0;
        loop {
            let fetched = {
                let _turn = self.paces.turn(key, "GetSnapshotBlock").await;
                self.caller.snapshot_block(self.region, self.snapshot, block.index, &token, size).await
            };
            tried += 1;
            let is_slowed = match &fetched {
                Ok(_) | Err(BlockFault::Expired(_) | BlockFault::Damaged(_)) => false,
                Err(BlockFault::Busy(_)) => true,
                Err(BlockFault::Failed(error)) => error.is_transient(),
            };
            self.paces.note(key, "GetSnapshotBlock", is_slowed);
            let is_tried_again = match &fetched {
                Ok(_) | Err(BlockFault::Expired(_)) => false,
                Err(BlockFault::Damaged(_)) => tried < aws.options().attempts,
                Err(BlockFault::Busy(_)) => tried < aws.options().attempts.saturating_mul(2),
                Err(BlockFault::Failed(error)) => may_pass(aws.options(), error, tried),
            };
            if !is_tried_again {
                return (block, fetched.map(Some));
            }
            // Blocks that were slowed down together do not come back together.
            let spread = u32::try_from(block.index.wrapping_mul(0x9E37_79B9) % 8).unwrap_or(0);
            let wait = pause(aws.options(), tried);
            aws.sleep().sleep(wait / 2 + wait / 16 * spread).await;
        }
    }
}

/// What has come so far.
struct Reading<'a> {
    sink: &'a mut dyn FnMut(Block<'_>),
    read: SnapshotRead,
    /// Where the last block that was handed on ends.
    end: Option<u64>,
    lost: Lost,
}

impl Reading<'_> {
    fn take(&mut self, block: &ListedBlock, size: u64, fetched: Result<Option<Vec<u8>>, BlockFault>) {
        match fetched {
            Ok(Some(bytes)) => {
                self.read.listed += 1;
                self.lost.tell(&mut self.read.coverage);
                let offset = block.index.saturating_mul(size);
                (self.sink)(Block { offset, bytes: &bytes, follows: self.end == Some(offset) });
                self.end = Some(offset.saturating_add(bytes.len() as u64));
                self.read.coverage.looked_at(1, bytes.len() as u64);
            }
            Ok(None) => {
                self.read.listed += 1;
                self.read.cleared += 1;
                self.read.coverage.looked_at(1, 0);
            }
            Err(
                BlockFault::Expired(error)
                | BlockFault::Damaged(error)
                | BlockFault::Busy(error)
                | BlockFault::Failed(error),
            ) => {
                self.lost(block.index, &error);
            }
        }
    }

    fn lost(&mut self, index: u64, error: &AwsError) {
        self.read.listed += 1;
        if !self.lost.add(index, error) {
            self.lost.tell(&mut self.read.coverage);
            self.lost.add(index, error);
        }
    }

    /// Gives the rest up, for the reason that the last block was not read for.
    fn give_up(&mut self, from: u64) {
        if let Some(lost) = &self.lost.0 {
            let (why, detail) = (lost.why, lost.detail.clone());
            self.stop(from, why, detail);
        }
    }

    /// Tells that nothing from a block on was read.
    fn stop(&mut self, from: u64, why: Why, detail: String) {
        self.lost.tell(&mut self.read.coverage);
        self.read.coverage.skip(format!("blocks from {from} on"), why, detail);
    }
}

/// Blocks in a row that were not read for the same reason: one line of the receipt.
#[derive(Default)]
struct Lost(Option<LostRun>);

struct LostRun {
    blocks: RangeInclusive<u64>,
    count: usize,
    why: Why,
    detail: String,
    is_final: bool,
}

impl Lost {
    /// Whether the block belongs to the run.
    fn add(&mut self, index: u64, error: &AwsError) -> bool {
        let (why, detail, is_final) = (why(error), error.to_string(), why(error) == Why::Denied);
        match &mut self.0 {
            None => self.0 = Some(LostRun { blocks: index..=index, count: 1, why, detail, is_final }),
            Some(run) if run.detail == detail => {
                run.blocks = *run.blocks.start()..=index;
                run.count += 1;
            }
            Some(_) => return false,
        }
        true
    }

    /// Whether there is no use in asking for more: who may not read one block may read none, and a line that is down stays down.
    fn is_hopeless(&self) -> bool {
        self.0.as_ref().is_some_and(|run| run.is_final || run.count >= LOST_IN_A_ROW)
    }

    fn tell(&mut self, coverage: &mut Coverage) {
        if let Some(run) = self.0.take() {
            let (first, last) = run.blocks.into_inner();
            let what = if run.count == 1 { format!("block {first}") } else { format!("blocks {first} to {last}") };
            coverage.skip(what, run.why, run.detail);
        }
    }
}
