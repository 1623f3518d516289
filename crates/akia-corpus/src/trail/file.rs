//! The files of a trail, laid out as CloudTrail does.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html>

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::event::{self, date, region_of};
use super::{BEGIN, Call, DAY, REGIONS, Trail};
use crate::Dice;

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Files.
    pub files: u64,
    /// Events in them.
    pub events: u64,
    /// Their size.
    pub bytes: u64,
    /// Their size, inflated.
    pub inflated: u64,
}

/// The files of one region of one account.
struct Stream {
    account: usize,
    region: usize,
    /// How many files it gets.
    files: u64,
    /// How many it has.
    done: u64,
    waiting: Vec<Call>,
}

impl Stream {
    /// The end of the time that the next file covers.
    fn until(&self, days: u64) -> i64 {
        BEGIN + (days as i64 * DAY) * (self.done as i64 + 1) / self.files as i64
    }
}

impl Trail {
    /// Writes all files into a folder, which is made where there is none.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<Written> {
        let mut streams = self.streams();
        let mut written = Written::default();
        for day in self.days() {
            for call in self.calls_of(&day) {
                let actor = &self.actors[call.who as usize];
                let account = call.who as usize % self.accounts.len();
                let region = region_of(self.operation(&call), actor.home);
                // Small logs have no stream for each region; a call then stands in another one's.
                let at = streams
                    .iter()
                    .position(|stream| stream.account == account && stream.region == region)
                    .or_else(|| streams.iter().position(|stream| stream.account == account))
                    .unwrap_or_default();
                while call.at >= streams[at].until(self.scale.days) {
                    self.deliver(&mut streams[at], folder, &mut written)?;
                }
                streams[at].waiting.push(call);
            }
        }
        for stream in &mut streams {
            while stream.done < stream.files {
                self.deliver(stream, folder, &mut written)?;
            }
        }
        Ok(written)
    }

    fn streams(&self) -> Vec<Stream> {
        let accounts = self.accounts.len();
        let all = (accounts * REGIONS.len()).min(self.scale.files.max(1) as usize);
        let files =
            |nth: usize| self.scale.files / all as u64 + u64::from((nth as u64) < self.scale.files % all as u64);
        (0..all)
            .map(|nth| Stream {
                account: nth % accounts,
                region: nth / accounts,
                files: files(nth).max(1),
                done: 0,
                waiting: Vec::new(),
            })
            .collect()
    }

    /// Writes the next file of a stream, filled up with what roles and services do.
    fn deliver(&self, stream: &mut Stream, folder: &Path, written: &mut Written) -> io::Result<()> {
        let until = stream.until(self.scale.days);
        let from = BEGIN + (self.scale.days as i64 * DAY) * stream.done as i64 / stream.files as i64;
        let mut dice =
            Dice::new(self.scale.seed.wrapping_add(stream.done), &format!("file {} {}", stream.account, stream.region));
        // As many as there should be in all by now.
        let due =
            (self.scale.events as u128 * u128::from(written.files + 1) / u128::from(self.scale.files.max(1))) as u64;
        let lacking = due.saturating_sub(written.events + stream.waiting.len() as u64);
        let mut calls = std::mem::take(&mut stream.waiting);
        calls.extend((0..lacking).map(|_| self.other(stream.account, from, until, &mut dice)));
        calls.sort_unstable_by_key(|call| (call.at, call.who, call.seed));
        let (account, region) = (self.accounts[stream.account].to_string(), REGIONS[stream.region]);
        let mut text = String::with_capacity(32 + calls.len() * 1_400);
        text.push_str(r#"{"Records":["#);
        for (nth, call) in calls.iter().enumerate() {
            if nth > 0 {
                text.push(',');
            }
            event::write(self, call, &account, region, &mut text);
        }
        text.push_str("]}");
        let path = folder.join(path(&account, region, until, &mut dice));
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut packed = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::new(3));
        packed.write_all(text.as_bytes())?;
        let packed = packed.finish()?;
        fs::write(&path, &packed)?;
        stream.done += 1;
        written.files += 1;
        written.events += calls.len() as u64;
        written.bytes += packed.len() as u64;
        written.inflated += text.len() as u64;
        Ok(())
    }
}

/// A file is filed under the time of its delivery.
fn path(account: &str, region: &str, delivered: i64, dice: &mut Dice) -> PathBuf {
    let (year, month, day) = date(delivered);
    let second = delivered.rem_euclid(DAY);
    let random = dice.of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 16);
    PathBuf::from(format!(
        "AWSLogs/o-exampleorgid/{account}/CloudTrail/{region}/{year}/{month:02}/{day:02}/{account}_CloudTrail_{region}_{year}{month:02}{day:02}T{:02}{:02}Z_{random}.json.gz",
        second / 3_600,
        second / 60 % 60,
    ))
}
