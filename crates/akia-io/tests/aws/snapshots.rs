//! Reading a snapshot while AWS is slow, busy, wrong or out of reach: what comes to the sink, and what is told.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use akia_core::ids::{Region, SnapshotId};
use akia_core::leak::Why;
use akia_io::aws::{Aws, AwsError, AwsOptions, Caller, Target};
use akia_io::exposure::snapshot::{Block, Options, SnapshotRead, read};
use data_encoding::BASE64;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::credentials;
use crate::scripted::{Asked, Said, Scripted};

const SNAPSHOT: &str = "snap-0123456789abcdef0";
const SIZE: usize = 512;

/// What came to the sink: offset, first byte, and whether it follows the block before.
type Came = Vec<(u64, u8, bool)>;

fn caller(url: &url::Url) -> Caller {
    let options = AwsOptions {
        endpoint_url: Some(url.clone()),
        attempt_timeout: Duration::from_millis(300),
        initial_backoff: Duration::from_millis(2),
        longest_backoff: Duration::from_millis(8),
        ..AwsOptions::default()
    };
    Aws::new(options).caller(credentials(), Target::default())
}

async fn scan(server: &Scripted, options: &Options) -> (Result<SnapshotRead, AwsError>, Came) {
    let (region, snapshot): (Region, SnapshotId) = ("eu-west-1".parse().unwrap(), SNAPSHOT.parse().unwrap());
    let mut came = Vec::new();
    let mut sink = |block: Block<'_>| {
        assert_eq!(block.bytes.len(), SIZE);
        came.push((block.offset / SIZE as u64, block.bytes[0], block.follows));
    };
    let read = read(&caller(&server.url), &region, &snapshot, options, &mut sink).await;
    (read, came)
}

/// A page of a listing. Tokens are `generation-index`.
fn page(blocks: &[u64], generation: usize, next: Option<&str>) -> Said {
    let blocks: Vec<_> = blocks
        .iter()
        .map(|index| json!({ "BlockIndex": index, "BlockToken": format!("{generation}A{index}") }))
        .collect();
    let page = json!({ "Blocks": blocks, "BlockSize": SIZE, "VolumeSize": 1, "ExpiryTime": 1.5e9, "NextToken": next });
    Said::new(200, page.to_string())
}

fn block(index: u64) -> Said {
    let data = vec![index as u8; SIZE];
    let sum = BASE64.encode(&Sha256::digest(&data));
    Said::new(200, data)
        .with("x-amz-Data-Length", SIZE)
        .with("x-amz-Checksum", sum)
        .with("x-amz-Checksum-Algorithm", "SHA256")
}

fn refused(status: u16, code: &str, reason: &str) -> Said {
    let body = json!({ "Message": "no", "Reason": reason }).to_string();
    Said::new(status, body).with("x-amzn-ErrorType", code)
}

fn query<'a>(asked: &'a Asked, name: &str) -> Option<&'a str> {
    let query = asked.path.split_once('?')?.1;
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The block that is asked for, and its token.
fn wanted(asked: &Asked) -> Option<(u64, &str)> {
    let index = asked.path.split_once("/blocks/")?.1.split('?').next()?.parse().ok()?;
    Some((index, query(asked, "blockToken")?))
}

/// What the receipt says was not read.
fn skipped(read: &SnapshotRead) -> Vec<(&str, Why)> {
    read.coverage.skipped.iter().map(|one| (one.what.as_str(), one.why)).collect()
}

#[tokio::test]
async fn blocks_come_in_order_whatever_order_they_arrive_in_and_pages_are_followed() {
    let server = Scripted::start(|asked| match (wanted(asked), query(asked, "pageToken")) {
        // The earlier, the later.
        (Some((index, _)), _) => block(index).after(Duration::from_millis(20_u64.saturating_sub(index))),
        (None, None) => page(&[0, 1, 2, 7], 0, Some("a/b+c=")),
        // What is scarce may give an empty page before the last.
        (None, Some("a%2Fb%2Bc%3D")) => page(&[], 0, Some("third")),
        (None, Some("third")) => page(&[8, 20], 0, None),
        (None, Some(other)) => panic!("{other}"),
    })
    .await;
    let (read, came) = scan(&server, &Options { at_once: 4, ..Options::default() }).await;
    let read = read.unwrap();
    assert_eq!(came, [(0, 0, false), (1, 1, true), (2, 2, true), (7, 7, false), (8, 8, true), (20, 20, false)]);
    assert_eq!((read.volume_gib, read.listed, read.coverage.objects), (1, 6, 6));
    assert_eq!(read.coverage.bytes, 6 * SIZE as u64);
    assert!(read.coverage.is_complete());
    let first = server.asked().remove(0);
    assert_eq!(first.path, format!("/snapshots/{SNAPSHOT}/blocks?maxResults=10000&startingBlockIndex=0"));
    assert!(first.header("authorization").unwrap().contains("/eu-west-1/ebs/aws4_request"));
}

#[tokio::test]
async fn no_more_blocks_are_on_their_way_than_allowed_however_long_the_first_takes() {
    let server = Scripted::start(|asked| match wanted(asked) {
        Some((0, _)) => block(0).after(Duration::from_millis(200)),
        Some((index, _)) => block(index),
        None => page(&(0..100).collect::<Vec<_>>(), 0, None),
    })
    .await;
    let options = Options { at_once: 5, ..Options::default() };
    let watched = tokio::time::timeout(Duration::from_millis(150), scan(&server, &options));
    assert!(watched.await.is_err(), "the first block is still on its way");
    assert_eq!(server.asked().iter().filter(|asked| wanted(asked).is_some()).count(), 5);
}

#[tokio::test]
async fn busy_slow_and_damaged_answers_are_asked_for_again() {
    let tries = Mutex::new(BTreeMap::<u64, usize>::new());
    let server = Scripted::start(move |asked| {
        let Some((index, _)) = wanted(asked) else { return page(&(0..7).collect::<Vec<_>>(), 0, None) };
        let tried = {
            let mut tries = tries.lock().unwrap();
            let tried = tries.entry(index).or_default();
            *tried += 1;
            *tried
        };
        match (index, tried) {
            (0, 1..=6) => refused(400, "RequestThrottledException", "ACCOUNT_THROTTLED"),
            (1, 1..=3) => refused(402, "ServiceQuotaExceededException", "DEPENDENCY_SERVICE_QUOTA_EXCEEDED"),
            (2, 1) => refused(500, "InternalServerException", ""),
            (3, 1) => block(3).after(Duration::from_millis(600)),
            (4, 1) => Said { body: vec![9; SIZE], ..block(4) },
            (5, 1) => Said { body: vec![5; SIZE - 1], ..block(5) },
            (6, 1..=2) => Said::new(503, "<html>"),
            _ => block(index),
        }
    })
    .await;
    let (read, came) = scan(&server, &Options::default()).await;
    assert_eq!(
        came.iter().map(|(index, byte, _)| (*index, *byte)).collect::<Vec<_>>(),
        (0..7).map(|i| (i, i as u8)).collect::<Vec<_>>()
    );
    assert!(read.unwrap().coverage.is_complete());
    assert_eq!(server.asked().len(), 1 + 7 + 6 + 3 + 1 + 1 + 1 + 1 + 2);
}

#[tokio::test]
async fn tokens_that_are_not_taken_any_more_are_renewed_from_that_block_on() {
    let lists = AtomicUsize::new(0);
    let server = Scripted::start(move |asked| match wanted(asked) {
        // The first tokens die with block 3, the next ones with block 6.
        Some((index, token)) if (token.starts_with("0A") && index >= 3) || (token.starts_with("1A") && index >= 6) => {
            refused(400, "ValidationException", "INVALID_BLOCK_TOKEN")
        }
        Some((index, _)) => block(index),
        None => {
            let from: u64 = query(asked, "startingBlockIndex").unwrap().parse().unwrap();
            page(&(from..10).collect::<Vec<_>>(), lists.fetch_add(1, Ordering::SeqCst), None)
        }
    })
    .await;
    let (read, came) = scan(&server, &Options { at_once: 3, ..Options::default() }).await;
    assert_eq!(came.iter().map(|(index, ..)| *index).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    let read = read.unwrap();
    assert_eq!((read.listed, read.coverage.is_complete()), (10, true));
    let from: Vec<_> =
        server.asked().iter().filter_map(|asked| Some(query(asked, "startingBlockIndex")?.to_owned())).collect();
    assert_eq!(from, ["0", "3", "6"]);
}

#[tokio::test]
async fn a_token_that_is_never_taken_is_told_and_the_others_are_read() {
    let server = Scripted::start(|asked| match wanted(asked) {
        Some((2, _)) => refused(400, "ValidationException", "INVALID_BLOCK_TOKEN"),
        Some((index, _)) => block(index),
        None => {
            let from: u64 = query(asked, "startingBlockIndex").unwrap().parse().unwrap();
            page(&(from..5).collect::<Vec<_>>(), 0, None)
        }
    })
    .await;
    let (read, came) = scan(&server, &Options::default()).await;
    assert_eq!(came, [(0, 0, false), (1, 1, true), (3, 3, false), (4, 4, true)]);
    let read = read.unwrap();
    assert_eq!(skipped(&read), [("block 2", Why::Unreadable)]);
    assert_eq!(read.listed, 5);
    assert!(read.coverage.skipped[0].detail.contains("INVALID_BLOCK_TOKEN"), "{:?}", read.coverage.skipped);
}

#[tokio::test]
async fn a_page_whose_token_has_died_is_listed_again_by_its_first_block() {
    let server = Scripted::start(|asked| match (wanted(asked), query(asked, "startingBlockIndex")) {
        (Some((index, _)), _) => block(index),
        (None, Some("0")) => page(&[0, 1], 0, Some("old")),
        (None, Some("2")) => page(&[5], 0, None),
        (None, Some(other)) => panic!("{other}"),
        (None, None) => refused(400, "ValidationException", "INVALID_PAGE_TOKEN"),
    })
    .await;
    let (read, came) = scan(&server, &Options::default()).await;
    assert_eq!(came.iter().map(|(index, ..)| *index).collect::<Vec<_>>(), [0, 1, 5]);
    assert!(read.unwrap().coverage.is_complete());
}

#[tokio::test]
async fn what_the_key_service_refuses_is_told_once_and_not_asked_for_block_by_block() {
    let server = Scripted::start(|asked| match wanted(asked) {
        Some(_) => refused(403, "AccessDeniedException", "DEPENDENCY_ACCESS_DENIED"),
        None => page(&(0..1_000).collect::<Vec<_>>(), 0, None),
    })
    .await;
    let (read, came) = scan(&server, &Options { at_once: 4, ..Options::default() }).await;
    let read = read.unwrap();
    assert_eq!(came, []);
    assert_eq!(skipped(&read), [("block 0", Why::Denied), ("blocks from 1 on", Why::Denied)]);
    assert!(read.coverage.skipped[1].detail.contains("DEPENDENCY_ACCESS_DENIED"), "{:?}", read.coverage.skipped);
    assert!(server.asked().len() < 20, "{}", server.asked().len());
}

#[tokio::test]
async fn blocks_that_are_lost_are_one_line_each_run_and_a_line_that_is_down_ends_it() {
    let server = Scripted::start(|asked| match wanted(asked) {
        Some((2 | 3 | 9, _)) => refused(500, "InternalServerException", ""),
        Some((20.., _)) => refused(500, "InternalServerException", ""),
        Some((index, _)) => block(index),
        None => page(&(0..200).collect::<Vec<_>>(), 0, Some("more")),
    })
    .await;
    let (read, came) = scan(&server, &Options { at_once: 8, ..Options::default() }).await;
    let read = read.unwrap();
    assert_eq!(came.len(), 17);
    assert_eq!(came[2], (4, 4, false), "a key does not reach over what is missing");
    assert_eq!(
        skipped(&read),
        [
            ("blocks 2 to 3", Why::Unreadable),
            ("block 9", Why::Unreadable),
            ("blocks 20 to 35", Why::Unreadable),
            ("blocks from 36 on", Why::Unreadable),
        ]
    );
}

#[tokio::test]
async fn a_listing_that_breaks_off_or_turns_in_circles_is_told() {
    let failing = Scripted::start(|asked| match (wanted(asked), query(asked, "pageToken")) {
        (Some((index, _)), _) => block(index),
        (None, None) => page(&[0, 1], 0, Some("second")),
        (None, Some(_)) => refused(403, "AccessDeniedException", "UNAUTHORIZED_ACCOUNT"),
    })
    .await;
    let (read, came) = scan(&failing, &Options::default()).await;
    assert_eq!(came.len(), 2);
    assert_eq!(skipped(&read.unwrap()), [("blocks from 2 on", Why::Denied)]);

    let circle = Scripted::start(|asked| match wanted(asked) {
        Some((index, _)) => block(index),
        None => page(&[0, 1], 0, Some("again")),
    })
    .await;
    let (read, came) = scan(&circle, &Options::default()).await;
    assert_eq!(came.len(), 2, "each once");
    assert_eq!(skipped(&read.unwrap()), [("blocks from 2 on", Why::Corrupt)]);

    let endless = Scripted::start(|_| page(&[], 0, Some("more"))).await;
    let (read, _) = scan(&endless, &Options::default()).await;
    assert_eq!(skipped(&read.unwrap()), [("blocks from 0 on", Why::Corrupt)]);
    assert!(endless.asked().len() < 1_100);

    for said in ["", "{}", "<html>", "{\"Blocks\":[{\"BlockIndex\":-1}]}", "[[[[[[[[[["] {
        let server = Scripted::start(move |_| Said::new(200, said)).await;
        let (read, _) = scan(&server, &Options::default()).await;
        assert!(matches!(read, Err(AwsError::Malformed { .. })), "{said}");
    }
}

#[tokio::test]
async fn against_an_earlier_snapshot_only_what_differs_is_read() {
    let server = Scripted::start(|asked| match wanted(asked) {
        Some((index, _)) => block(index),
        None => {
            assert!(asked.path.starts_with(&format!("/snapshots/{SNAPSHOT}/changedblocks?firstSnapshotId=snap-1&")));
            let blocks = json!([
                { "BlockIndex": 1, "FirstBlockToken": "a", "SecondBlockToken": "b" },
                { "BlockIndex": 2, "FirstBlockToken": "a" },
                { "BlockIndex": 3, "SecondBlockToken": "b" },
            ]);
            let page = json!({ "ChangedBlocks": blocks, "BlockSize": SIZE, "VolumeSize": 1, "ExpiryTime": 1.5e9 });
            Said::new(200, page.to_string())
        }
    })
    .await;
    let options = Options { earlier: Some("snap-1".parse().unwrap()), ..Options::default() };
    let (read, came) = scan(&server, &options).await;
    assert_eq!(came, [(1, 1, false), (3, 3, false)]);
    let read = read.unwrap();
    assert_eq!((read.listed, read.cleared, read.coverage.objects), (3, 1, 3));
}
