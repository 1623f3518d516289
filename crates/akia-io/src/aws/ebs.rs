//! The blocks of a snapshot through the EBS direct APIs: nothing is mounted, started or copied.
//!
//! Source: <https://docs.aws.amazon.com/ebs/latest/APIReference/Welcome.html> and "Frequently asked questions for EBS direct
//! APIs" in the EBS User Guide: indexes come in order, pages may be empty before the last, tokens of blocks live for seven days
//! and tokens of pages for an hour.

use akia_core::ids::{Region, SnapshotId};
use data_encoding::BASE64;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::caller::Caller;
use super::client::HttpAnswer;
use super::error::{AwsError, Call};
use super::options::Service;
use super::reading::Reading;
use super::s3::escaped;

/// Blocks that a page lists: the most that AWS takes. They are some 5 GB.
const PAGE: u32 = 10_000;
/// Largest block that is taken. Those of AWS are 512 KiB.
const LARGEST_BLOCK: u64 = 2 * 1024 * 1024;
/// Largest volume that is believed, in GiB. Those of AWS are 64 TiB at most.
const LARGEST_VOLUME: u64 = 1024 * 1024;

/// Where a listing begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum From {
    /// With this block, or the next one that there is.
    Block(u64),
    /// With the page of this token.
    Page(String),
}

/// A block of a snapshot, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedBlock {
    /// The place on the disk, in blocks.
    pub(crate) index: u64,
    /// What reads it. None: the block was there in the earlier snapshot, and in this one is zeros.
    pub(crate) token: Option<String>,
}

/// A page of blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlockPage {
    /// Bytes of a block.
    pub(crate) block_size: u64,
    /// Size of the volume.
    pub(crate) volume_gib: u64,
    /// In the order of their indexes.
    pub(crate) blocks: Vec<ListedBlock>,
    /// The token of the next page.
    pub(crate) next: Option<String>,
}

/// Why a block was not read.
#[derive(Debug)]
pub(crate) enum BlockFault {
    /// Its token is not taken any more: list again.
    Expired(AwsError),
    /// The bytes are not those that their checksum is of.
    Damaged(AwsError),
    /// The quota is used up for now, as AWS says in words of its own.
    Busy(AwsError),
    /// Anything else.
    Failed(AwsError),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(alias = "ChangedBlocks")]
    blocks: Vec<Entry>,
    block_size: Option<u64>,
    volume_size: Option<u64>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    block_index: u64,
    #[serde(alias = "SecondBlockToken")]
    block_token: Option<String>,
}

impl Caller {
    /// `ebs:ListSnapshotBlocks`; with `earlier`, `ebs:ListChangedBlocks`: what differs from that snapshot.
    pub(crate) async fn snapshot_blocks(
        &self,
        region: &Region,
        snapshot: &SnapshotId,
        earlier: Option<&SnapshotId>,
        from: &From,
    ) -> Result<BlockPage, AwsError> {
        let start = match from {
            From::Block(index) => format!("startingBlockIndex={index}"),
            From::Page(token) => format!("pageToken={}", escaped(token, false)),
        };
        let (operation, path) = match earlier {
            None => ("ListSnapshotBlocks", format!("/snapshots/{snapshot}/blocks?maxResults={PAGE}&{start}")),
            Some(earlier) => {
                let path = format!("/snapshots/{snapshot}/changedblocks");
                ("ListChangedBlocks", format!("{path}?firstSnapshotId={earlier}&maxResults={PAGE}&{start}"))
            }
        };
        let answer: Answer = self.read_rest(Service::Ebs, region, operation, path).await?;
        page(&self.call_in(Service::Ebs, region, operation), answer)
    }

    /// What `ebs:GetSnapshotBlock` is called in errors.
    pub(crate) fn call_of_block(&self, region: &Region) -> Call {
        self.call_in(Service::Ebs, region, "GetSnapshotBlock")
    }

    /// `ebs:GetSnapshotBlock`, once: the bytes of a block, which are those that AWS's checksum is of.
    pub(crate) async fn snapshot_block(
        &self,
        region: &Region,
        snapshot: &SnapshotId,
        index: u64,
        token: &str,
        block_size: u64,
    ) -> Result<Vec<u8>, BlockFault> {
        let reading = Reading {
            service: Service::Ebs,
            region,
            operation: "GetSnapshotBlock",
            method: "GET",
            path: format!("/snapshots/{snapshot}/blocks/{index}?blockToken={}", escaped(token, false)),
            headers: Vec::new(),
            body: String::new(),
        };
        let call = self.call_of_block(region);
        let answer = self.read_once(&call, &reading).await.map_err(sorted)?;
        checked(&call, answer, block_size).map_err(BlockFault::Damaged)
    }
}

fn page(call: &Call, answer: Answer) -> Result<BlockPage, AwsError> {
    let malformed = |what: &str| AwsError::malformed(call, what);
    let block_size = answer.block_size.filter(|size| (1..=LARGEST_BLOCK).contains(size));
    let block_size = block_size.ok_or_else(|| malformed("BlockSize is missing, or none of a block"))?;
    let volume_gib = answer.volume_size.filter(|size| (1..=LARGEST_VOLUME).contains(size));
    let volume_gib = volume_gib.ok_or_else(|| malformed("VolumeSize is missing, or none of a volume"))?;
    let end = (volume_gib << 30).div_ceil(block_size);
    if !answer.blocks.is_sorted_by(|one, other| one.block_index < other.block_index) {
        return Err(malformed("its blocks are not in order"));
    }
    if answer.blocks.last().is_some_and(|block| block.block_index >= end) {
        return Err(malformed("it lists a block behind the end of the volume"));
    }
    let listed = |entry: Entry| ListedBlock { index: entry.block_index, token: entry.block_token };
    Ok(BlockPage {
        block_size,
        volume_gib,
        blocks: answer.blocks.into_iter().map(listed).collect(),
        next: answer.next_token.filter(|token| !token.is_empty()),
    })
}

/// Sorts a refusal. A token that is not taken is told by the reason of a ValidationException, which is part of its message here.
fn sorted(error: AwsError) -> BlockFault {
    match &error {
        AwsError::Rejected { message, .. } if message.contains("INVALID_BLOCK_TOKEN") => BlockFault::Expired(error),
        AwsError::Rejected { code, .. }
            if matches!(code.as_str(), "ServiceQuotaExceededException" | "ConcurrentLimitExceededException") =>
        {
            BlockFault::Busy(error)
        }
        _ => BlockFault::Failed(error),
    }
}

fn checked(call: &Call, answer: HttpAnswer, block_size: u64) -> Result<Vec<u8>, AwsError> {
    let header = |name: &str| answer.headers.get(name).map(str::trim);
    let malformed = |what: &str| AwsError::malformed(call, what);
    let length = answer.body.len() as u64;
    if length > block_size {
        return Err(malformed("it is larger than a block"));
    }
    let said = header("x-amz-data-length").and_then(|length| length.parse::<u64>().ok());
    if said.is_some_and(|said| said != length) {
        return Err(malformed("it is shorter or longer than it says"));
    }
    if header("x-amz-checksum-algorithm").is_some_and(|algorithm| algorithm != "SHA256") {
        return Err(malformed("its checksum is not one of SHA-256"));
    }
    let sum = header("x-amz-checksum").ok_or_else(|| malformed("it has no checksum"))?;
    let digest = Sha256::digest(&answer.body);
    if BASE64.decode(sum.as_bytes()).is_ok_and(|sum| sum == digest[..]) {
        Ok(answer.body)
    } else {
        Err(malformed("its checksum is another one"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Call {
            operation: "ebs:GetSnapshotBlock".to_owned(),
            endpoint: "ebs.eu-west-1.amazonaws.com".to_owned(),
            key: None,
        }
    }

    fn read(json: &str) -> Result<BlockPage, AwsError> {
        page(&call(), serde_json::from_str(json).unwrap())
    }

    #[test]
    fn pages_are_read_as_the_documentation_has_them() {
        let blocks = read(
            r#"{"Blocks":[{"BlockIndex":1001,"BlockToken":"AAABAV3/PNhXOynVdMYHUpPsetaSvjLB1dtIGfbJv5OJ0sX855EzGTWos4a4"},
                {"BlockIndex":1002,"BlockToken":"AAABATGQIgwr0WwIuqIMjCA/Sy7e/YoQFZsHejzGNvjKauzNgzeI13YHBfQB"}],
                "ExpiryTime":1576308931.973,"VolumeSize":100,"BlockSize":524288,"NextToken":"AAADARtJ"}"#,
        )
        .unwrap();
        assert_eq!((blocks.block_size, blocks.volume_gib, blocks.next.as_deref()), (524_288, 100, Some("AAADARtJ")));
        assert_eq!(blocks.blocks.iter().map(|block| block.index).collect::<Vec<_>>(), [1001, 1002]);
        let changed = read(
            r#"{"ChangedBlocks":[{"BlockIndex":0,"FirstBlockToken":"AAABAVahm9SO60Dyi0ORySzn2ZjGjW","SecondBlockToken":"AAABAf"},
                {"BlockIndex":6000,"FirstBlockToken":"AAABAbYSiZvJ0/R9tz8suI8dSzecLjN4"},
                {"BlockIndex":6001,"SecondBlockToken":"AAABAe"}],
                "ExpiryTime":1576308931.973,"VolumeSize":100,"BlockSize":524288,"NextToken":null}"#,
        )
        .unwrap();
        let tokens: Vec<_> = changed.blocks.iter().map(|block| block.token.as_deref()).collect();
        assert_eq!(tokens, [Some("AAABAf"), None, Some("AAABAe")]);
        assert_eq!(changed.next, None);
        assert!(read(r#"{"Blocks":[],"VolumeSize":1,"BlockSize":524288,"NextToken":"x"}"#).is_ok());
    }

    #[test]
    fn a_listing_that_cannot_be_is_refused() {
        for (json, reason) in [
            (r#"{"Blocks":[]}"#, "BlockSize"),
            (r#"{"Blocks":[],"BlockSize":0,"VolumeSize":1}"#, "BlockSize"),
            (r#"{"Blocks":[],"BlockSize":1099511627776,"VolumeSize":1}"#, "BlockSize"),
            (r#"{"Blocks":[],"BlockSize":524288}"#, "VolumeSize"),
            (r#"{"Blocks":[],"BlockSize":524288,"VolumeSize":18446744073709551615}"#, "VolumeSize"),
            (
                r#"{"BlockSize":524288,"VolumeSize":1,"Blocks":[{"BlockIndex":2048,"BlockToken":"a"}]}"#,
                "behind the end",
            ),
            (
                r#"{"BlockSize":524288,"VolumeSize":1,"Blocks":[{"BlockIndex":1,"BlockToken":"a"},{"BlockIndex":1,"BlockToken":"a"}]}"#,
                "not in order",
            ),
        ] {
            let error = read(json).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn bytes_that_are_not_those_of_the_checksum_are_none() {
        let answer = |body: &[u8], headers: &[(&'static str, String)]| {
            let mut all = aws_smithy_runtime_api::http::Headers::new();
            for (name, value) in headers {
                all.insert(*name, value.clone());
            }
            HttpAnswer { status: 200, code: None, headers: all, body: body.to_vec() }
        };
        let sum = |body: &[u8]| BASE64.encode(&Sha256::digest(body));
        let full = |body: &[u8], length: usize, sum: String| {
            let length = ("x-amz-data-length", length.to_string());
            checked(
                &call(),
                answer(body, &[length, ("x-amz-checksum", sum), ("x-amz-checksum-algorithm", "SHA256".to_owned())]),
                8,
            )
        };
        assert_eq!(full(b"12345678", 8, sum(b"12345678")).unwrap(), b"12345678");
        for (answer, reason) in [
            (full(b"12345678", 8, sum(b"12345679")), "another one"),
            (full(b"1234567", 8, sum(b"1234567")), "shorter or longer"),
            (full(b"123456789", 9, sum(b"123456789")), "larger than a block"),
            (full(b"12345678", 8, "not base64".to_owned()), "another one"),
            (full(b"12345678", 8, String::new()), "another one"),
            (checked(&call(), answer(b"12345678", &[]), 8), "no checksum"),
            (
                checked(&call(), answer(b"1", &[("x-amz-checksum-algorithm", "MD5".to_owned())]), 8),
                "not one of SHA-256",
            ),
        ] {
            let error = answer.unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
