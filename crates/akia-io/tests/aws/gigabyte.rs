//! How long a gigabyte takes, and how much memory: run by hand, with `cargo test --release -p akia-io --test aws -- --ignored
//! --nocapture gigabyte`. AWS itself gives a thousand blocks a second to an account, which is half a gigabyte.

use std::sync::Arc;
use std::time::{Duration, Instant};

use akia_core::ids::{Region, SnapshotId};
use akia_io::aws::{Aws, AwsOptions, Target};
use akia_io::exposure::snapshot::{Block, Options, read};
use data_encoding::BASE64;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::credentials;

const SIZE: usize = 512 * 1024;
const BLOCKS: u64 = 2_048;

#[test]
#[ignore = "a measurement"]
fn a_gigabyte_is_read_in_little_memory() {
    let server = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for (at_once, latency) in [(1, 0), (8, 0), (32, 0), (64, 0), (32, 20)] {
        let url = server.block_on(serve(Duration::from_millis(latency)));
        let options = AwsOptions { endpoint_url: Some(url), ..AwsOptions::default() };
        let caller = Aws::new(options).caller(credentials(), Target::default());
        let (region, snapshot): (Region, SnapshotId) = ("eu-west-1".parse().unwrap(), "snap-1".parse().unwrap());
        let options = Options { at_once, ..Options::default() };
        let mut bytes = 0;
        let mut sink = |block: Block<'_>| bytes += block.bytes.len() as u64;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let start = Instant::now();
        let read = runtime.block_on(read(&caller, &region, &snapshot, &options, &mut sink)).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        assert!(read.coverage.is_complete());
        assert_eq!(bytes, SIZE as u64 * BLOCKS);
        eprintln!("{at_once} at once, {latency} ms each: {seconds:.2} s; peak of the process {}", peak());
    }
}

/// The most memory that this process has held, server included.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "not known".to_owned(), |line| line.trim().to_owned())
}

async fn serve(latency: Duration) -> url::Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let data: Vec<u8> = (0..SIZE).map(|at| (at * 31 % 251) as u8).collect();
    let sum = BASE64.encode(&Sha256::digest(&data));
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\nx-amz-data-length: {SIZE}\r\nx-amz-checksum: {sum}\r\n\
         x-amz-checksum-algorithm: SHA256\r\n\r\n"
    );
    let blocks: Vec<_> =
        (0..BLOCKS).map(|index| json!({ "BlockIndex": index, "BlockToken": "A".repeat(120) })).collect();
    let list = json!({ "Blocks": blocks, "BlockSize": SIZE, "VolumeSize": 1, "ExpiryTime": 1.5e9 }).to_string();
    let list = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{list}", list.len());
    let texts = Arc::new((list, head, data));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, Arc::clone(&texts), latency));
        }
    });
    url
}

async fn answer(mut stream: TcpStream, texts: Arc<(String, String, Vec<u8>)>, latency: Duration) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        request.clear();
        while !request.ends_with(b"\r\n\r\n") {
            let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
            request.extend_from_slice(&buffer[..count]);
        }
        tokio::time::sleep(latency).await;
        if String::from_utf8_lossy(&request).contains("blockToken") {
            stream.write_all(texts.1.as_bytes()).await.ok()?;
            stream.write_all(&texts.2).await.ok()?;
        } else {
            stream.write_all(texts.0.as_bytes()).await.ok()?;
        }
    }
}
