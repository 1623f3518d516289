//! Where log files lie, and which of them can hold what is asked for.

use std::path::Path as FilePath;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::civil::Date;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;

use crate::scan::{LogFile, Only};

/// Folders that are listed at once.
const AT_ONCE: usize = 16;
/// Seconds of a day.
const DAY: i64 = 86_400;

/// Why a place cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// It is neither.
    #[error("{0} is no folder, no file and no s3://bucket/prefix")]
    NoPlace(String),
    /// The store refused.
    #[error("{place} cannot be listed: {source}")]
    Store {
        /// Which.
        place: String,
        /// What it said.
        source: object_store::Error,
    },
}

/// What is wanted of a place.
#[derive(Debug, Clone, Default)]
pub struct Narrowing {
    /// Only these accounts; all where it is empty.
    pub accounts: Vec<String>,
    /// Only these regions.
    pub regions: Vec<String>,
    /// From this second on.
    pub since: Option<i64>,
    /// Before this second.
    pub until: Option<i64>,
}

/// What was found in a place.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Log files, by day, then by name.
    pub files: Vec<LogFile>,
    /// Files that are no logs, by name: neither JSON, nor gzip, nor Parquet.
    pub others: u64,
    /// Folders of digests and insights, and of Security Lake's other sources: they hold no calls.
    pub passed_over: u64,
}

/// The URL of what a person names: a path of this machine, or `s3://bucket/prefix`.
///
/// # Errors
///
/// When there is nothing at the path.
pub fn place(named: &str) -> Result<Url, ListError> {
    let nothing = || ListError::NoPlace(named.to_owned());
    if named.starts_with("s3://") {
        return Url::parse(named).ok().filter(Url::has_host).ok_or_else(nothing);
    }
    let path = FilePath::new(named).canonicalize().map_err(|_| nothing())?;
    let url = if path.is_dir() { Url::from_directory_path(path) } else { Url::from_file_path(path) };
    url.map_err(|()| nothing())
}

/// Lists a place. Of CloudTrail's own layout only the folders are read that can hold what is wanted.
///
/// # Errors
///
/// When the store refuses.
pub async fn list(store: &Arc<dyn ObjectStore>, place: &Url, narrowing: &Narrowing) -> Result<Listing, ListError> {
    let failed = |source| ListError::Store { place: place.to_string(), source };
    let root = Path::from_url_path(place.path()).map_err(|error| failed(error.into()))?;
    let mut listing = Listing::default();
    if !place.path().ends_with('/')
        && let Ok(meta) = store.head(&root).await
    {
        listing.files.push(LogFile { url: place.clone(), bytes: meta.size });
        return Ok(listing);
    }
    let mut folders = vec![root];
    while !folders.is_empty() {
        let looks = stream::iter(folders.drain(..).map(|folder| look(store, place, folder, narrowing)))
            .buffered(AT_ONCE)
            .try_collect::<Vec<_>>()
            .await
            .map_err(failed)?;
        for look in looks {
            folders.extend(look.folders);
            listing.files.extend(look.listing.files);
            listing.others += look.listing.others;
            listing.passed_over += look.listing.passed_over;
        }
    }
    listing.files.sort_by(|one, other| (one.day(), one.url.as_str()).cmp(&(other.day(), other.url.as_str())));
    Ok(listing)
}

#[derive(Default)]
struct Look {
    folders: Vec<Path>,
    listing: Listing,
}

/// Looks into one folder: at what lies in it, and at all beneath it where it is a region's.
async fn look(
    store: &Arc<dyn ObjectStore>,
    place: &Url,
    folder: Path,
    narrowing: &Narrowing,
) -> Result<Look, object_store::Error> {
    let mut look = Look::default();
    let parts: Vec<_> = folder.parts().map(|part| part.as_ref().to_owned()).collect();
    if let Some((region, day)) = days_of(&parts) {
        if !is_any(&narrowing.regions, region) {
            return Ok(look);
        }
        // Names are in the order of days: what is asked for begins at one.
        let mut after =
            narrowing.since.and_then(day_of).map(|since| Path::from(format!("{folder}/{}", since.strftime(day))));
        let wanted = Only { since: narrowing.since, until: narrowing.until, ..Only::default() };
        let mut tries = 0;
        loop {
            let before = after.clone();
            let Err(error) = look.take_beneath(store, place, &folder, &mut after, &wanted).await else {
                return Ok(look);
            };
            tries = if after == before { tries + 1 } else { 1 };
            // Only S3 lists in the order of names, so that it can go on behind the last.
            if !is_broken_off(&error) || place.scheme() != "s3" || tries == TRIES {
                return Err(error);
            }
        }
    }
    let mut tries = 1;
    let found = loop {
        match store.list_with_delimiter(Some(&folder)).await {
            Err(error) if is_broken_off(&error) && tries < TRIES => tries += 1,
            found => break found?,
        }
    };
    for meta in &found.objects {
        look.take(place, meta, &Only::default());
    }
    for folder in found.common_prefixes {
        let name = folder.filename().unwrap_or_default();
        if has_no_calls(&parts, name) {
            look.listing.passed_over += 1;
        } else if account_of(name).is_none_or(|account| is_any(&narrowing.accounts, account)) {
            look.folders.push(folder);
        }
    }
    Ok(look)
}

/// How often a listing is asked for that comes no further.
const TRIES: u32 = 5;

/// Whether an answer broke off. The store asks again where S3 refuses or does not answer; where the answer to a listing breaks off, it does
/// not.
fn is_broken_off(error: &object_store::Error) -> bool {
    let object_store::Error::Generic { source, .. } = error else { return false };
    source.source().is_some_and(|cause| cause.is::<object_store::client::HttpError>())
}

/// Sources of Security Lake that are CloudTrail's, as their folders are called.
const OF_CLOUDTRAIL: [&str; 3] = ["CLOUD_TRAIL_MGMT", "LAMBDA_EXECUTION", "S3_DATA"];
/// Those that are not.
const OF_OTHERS: [&str; 5] = ["EKS_AUDIT", "ROUTE53", "SH_FINDINGS", "VPC_FLOW", "WAF"];

/// The region of a folder that holds days, and how the path of a day goes on from there.
fn days_of(parts: &[String]) -> Option<(&str, &'static str)> {
    match parts {
        [.., before, region] if before == "CloudTrail" => Some((region, "%Y/%m/%d")),
        [.., region, account] => {
            account.strip_prefix("accountId=")?;
            Some((region.strip_prefix("region=")?, "eventDay=%Y%m%d"))
        }
        _ => None,
    }
}

/// The account whose folder is called like this.
fn account_of(name: &str) -> Option<&str> {
    let account = name.strip_prefix("accountId=").unwrap_or(name);
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
}

/// Whether a folder in the folder of `parts` holds no calls.
fn has_no_calls(parts: &[String], name: &str) -> bool {
    // Version 2 of a source is a table of Iceberg, which keeps what it knows of its files beside them.
    let of_iceberg = |source: &String| name == "metadata" && OF_CLOUDTRAIL.contains(&source.as_str());
    name.starts_with("CloudTrail-") || OF_OTHERS.contains(&name) || parts.iter().rev().nth(1).is_some_and(of_iceberg)
}

/// Whether it is one of those that are wanted: all, where none is named.
fn is_any(wanted: &[String], name: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| wanted == name)
}

impl Look {
    /// Takes all beneath a folder that comes after a name, and notes how far it came.
    async fn take_beneath(
        &mut self,
        store: &Arc<dyn ObjectStore>,
        place: &Url,
        folder: &Path,
        after: &mut Option<Path>,
        only: &Only,
    ) -> Result<(), object_store::Error> {
        let mut beneath = match &after {
            Some(after) => store.list_with_offset(Some(folder), after),
            None => store.list(Some(folder)),
        };
        while let Some(meta) = beneath.try_next().await? {
            self.take(place, &meta, only);
            *after = Some(meta.location);
        }
        Ok(())
    }

    fn take(&mut self, place: &Url, meta: &object_store::ObjectMeta, only: &Only) {
        let name = meta.location.filename().unwrap_or_default();
        if ![".json", ".jsonl", ".gz", ".parquet"].iter().any(|end| name.ends_with(end)) {
            self.listing.others += 1;
            return;
        }
        let mut url = place.clone();
        url.set_path(&format!("/{}", meta.location));
        let file = LogFile { url, bytes: meta.size };
        if file.may_hold(only) {
            self.listing.files.push(file);
        }
    }
}

fn day_of(second: i64) -> Option<Date> {
    let moment = jiff::Timestamp::from_second(second).ok()?;
    Some(jiff::tz::Offset::UTC.to_datetime(moment).date())
}

impl LogFile {
    /// The day of its delivery, from its path; in Security Lake that of its events.
    pub(crate) fn day(&self) -> Option<Date> {
        let mut parts = self.url.path().rsplit('/').skip(1);
        let day = parts.next()?;
        if let Some(day) = day.strip_prefix("eventDay=") {
            return Date::strptime("%Y%m%d", day).ok();
        }
        let [month, year] = [parts.next()?, parts.next()?];
        Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
    }

    /// Whether events that are wanted can be in it. A file holds what happened on its day, and on the day before where it came late.
    pub(crate) fn may_hold(&self, only: &Only) -> bool {
        let Some(day) = self.day() else { return true };
        let since = only.since.and_then(day_of);
        let until = only.until.and_then(|until| day_of(until.saturating_sub(1).saturating_add(DAY)));
        since.is_none_or(|since| day >= since) && until.is_none_or(|until| day <= until)
    }
}

/// What CloudTrail's layout or Security Lake's says of a log, where it lies in one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ToldByPath {
    pub(crate) account: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) day: Option<Date>,
}

/// Reads `…/ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/NAME` and `…/region=REGION/accountId=ACCOUNT/eventDay=YYYYMMDD/NAME`.
pub(crate) fn told_by_path(url: &str) -> ToldByPath {
    let Ok(url) = Url::parse(url) else { return ToldByPath::default() };
    let parts: Vec<&str> = url.path().split('/').collect();
    let day = LogFile { url: url.clone(), bytes: 0 }.day();
    let (account, region) = match parts[..] {
        [.., account, "CloudTrail", region, _, _, _, _] => (Some(account), Some(region)),
        [.., region, account, _, _] => account.strip_prefix("accountId=").zip(region.strip_prefix("region=")).unzip(),
        _ => (None, None),
    };
    ToldByPath { account: account.map(str::to_owned), region: region.map(str::to_owned), day }
}
