//! What Security Lake has of CloudTrail's events answers as CloudTrail's own logs do.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use akia_core::usage::{Fact, OfAccount, Resources};
use akia_corpus::trail::{Scale, Trail};
use akia_usage::{About, Desk, Narrowing};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::parquet::basic::{Compression, GzipLevel, ZstdLevel};
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties};
use serde_json::json;

use crate::lake::{Source, convert, in_new_encodings, parquet};
use crate::support::{LARGEST, desk, event, listing, load, number, records};

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const AT: &str = "2026-11-01T10:00:00Z";

/// A desk at which logs can be asked as they lie, all of which can be read.
async fn as_they_lie(logs: &Path) -> Desk {
    let desk = desk(&tempfile::tempdir().unwrap().keep()).await;
    let receipts = desk.attach(listing(&desk, logs).await, LARGEST).unwrap();
    number(&desk, "SELECT count(*) FROM events").await;
    assert_eq!(akia_usage::problems(&receipts), []);
    desk
}

/// Facts without the bounds of the parts in which logs were read.
fn together(facts: Vec<Fact>) -> Vec<Fact> {
    let mut all: BTreeMap<_, Fact> = BTreeMap::new();
    for fact in facts {
        let Fact { key, account, user, hour, service, name, region, ip, agent, error, resources, .. } = fact.clone();
        let apart = (key, account, user, hour, service, name, region, ip, (agent, error, resources.0));
        match all.entry(apart) {
            Entry::Vacant(new) => drop(new.insert(fact)),
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.calls += fact.calls;
                (known.first, known.last) = (known.first.min(fact.first), known.last.max(fact.last));
            }
        }
    }
    all.into_values().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_equal_those_of_the_same_events_in_cloudtrails_own_logs() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    Trail::new(Scale { events: 9_000, files: 30, keys: 40, days: 6, seed: 8 }).write(&logs).unwrap();
    let mut own = desk(&folder.path().join("own")).await;
    load(&mut own, &logs, u64::MAX).await;
    let facts = together(own.facts(&About::default()).await.unwrap());
    assert!(facts.iter().any(|fact| !fact.resources.0.is_empty()) && facts.len() > 1_000);
    let covered = own.covered().await.unwrap();
    let own = as_they_lie(&logs).await;
    for source in [Source::One, Source::Two] {
        let lake = folder.path().join(source.version());
        let files = convert(&logs, &lake, source);
        assert_eq!(files, 30);
        let mut desk = desk(&folder.path().join(format!("facts-{}", source.version()))).await;
        let loaded = load(&mut desk, &lake, u64::MAX).await;
        assert_eq!((loaded.files, loaded.calls, loaded.problems.as_slice()), (30, 9_000, &[][..]), "{source:?}");
        let of_lake = desk.facts(&About::default()).await.unwrap();
        let mut facts = facts.clone();
        if source == Source::One {
            // It has no sets, in which EC2's ids stand.
            facts
                .iter_mut()
                .filter(|fact| fact.service == "ec2")
                .for_each(|fact| fact.resources = Resources::default());
        }
        let unequal = together(of_lake).into_iter().zip(together(facts)).find(|(one, other)| one != other);
        assert_eq!(unequal, None, "{source:?}");
        let days = |covered: &[akia_core::usage::Covered]| {
            let all = covered.iter().map(|one| (one.account.clone(), one.region.clone(), one.days.clone(), one.logs));
            all.collect::<Vec<_>>()
        };
        assert_eq!(days(&desk.covered().await.unwrap()), days(&covered));
        assert_eq!(load(&mut desk, &lake, u64::MAX).await.known, 30);

        // As they lie. Version 1 has no text of what was asked and answered.
        let desk = as_they_lie(&lake).await;
        let version_two = match source {
            Source::Two => ", resources, request IS NULL AS a, response IS NULL AS b",
            Source::One => ", CASE WHEN service <> 'ec2' THEN resources END AS resources",
        };
        let question = format!(
            "SELECT event_id, CAST(time AS BIGINT) AS t, key, account, \"user\", identity, service, name, region, ip, agent, error, \
             event_type, vpc_endpoint, error_message{version_two} FROM events ORDER BY event_id"
        );
        let ask = async |desk: &akia_usage::Desk| akia_usage::answer::csv(&desk.sql(&question).await.unwrap()).unwrap();
        let (ours, theirs) = (ask(&desk).await, ask(&own).await);
        assert_eq!(ours.lines().count(), 9_001);
        let unequal = ours.lines().zip(theirs.lines()).find(|(one, other)| one != other);
        assert_eq!(unequal, None, "{source:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_federated_user_and_a_caller_without_a_key_are_who_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut federated = event("ASIAIOSFODNN7EXAMPLE", "GetObject", AT);
    federated["userIdentity"]["type"] = "FederatedUser".into();
    federated["userIdentity"]["arn"] = "arn:aws:sts::111122223333:federated-user/x".into();
    federated["userIdentity"]["sessionContext"] =
        json!({ "sessionIssuer": { "arn": "arn:aws:iam::111122223333:user/ada" } });
    let mut service = event(KEY, "PutObject", AT);
    service["userIdentity"] = json!({ "type": "AWSService", "invokedBy": "config.amazonaws.com" });
    service["sourceIPAddress"] = "config.amazonaws.com".into();
    for source in [Source::One, Source::Two] {
        let path = folder.path().join(format!("{}.gz.parquet", source.version()));
        fs::write(&path, source.file(&[federated.clone(), service.clone()])).unwrap();
        let desk = as_they_lie(&path).await;
        let answer = desk.sql("SELECT \"user\", ip, of_user FROM events ORDER BY name").await.unwrap();
        assert_eq!(
            akia_usage::answer::csv(&answer).unwrap(),
            "user,ip,of_user\narn:aws:iam::111122223333:user/ada,203.0.113.7,true\n,config.amazonaws.com,false\n"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_way_of_writing_is_read_and_what_is_no_call_is_counted_apart() {
    let folder = tempfile::tempdir().unwrap();
    let events: Vec<_> = (0..300).map(|at| event(KEY, &format!("Get{at}"), AT)).collect();
    let plain = WriterProperties::builder().set_compression(Compression::UNCOMPRESSED).build();
    let lz4 = WriterProperties::builder().set_compression(Compression::LZ4_RAW).build();
    let [new, plain, lz4] = [in_new_encodings(), plain, lz4].map(|how| Source::Two.file_with(&events, how));
    for (name, file) in [("new.parquet", new), ("plain.parquet", plain), ("name-says-json.json", lz4)] {
        let path = folder.path().join(name);
        fs::write(&path, file).unwrap();
        let mut desk = desk(&folder.path().join(format!("{name}-facts"))).await;
        let loaded = load(&mut desk, &path, 1).await;
        assert_eq!((loaded.kept, loaded.others, loaded.problems.as_slice()), (300, 0, &[][..]), "{name}");
        assert_eq!(number(&desk, "SELECT count(DISTINCT name) FROM facts").await, 300);
    }
    let mut no_time = event(KEY, "GetObject", AT);
    no_time["eventTime"] = json!(null);
    let mut no_name = event(KEY, "GetObject", AT);
    no_name["eventName"] = json!(null);
    let path = folder.path().join("others.parquet");
    fs::write(&path, Source::Two.file(&[no_time, no_name, event(KEY, "A", AT)])).unwrap();
    let mut desk = desk(&folder.path().join("others")).await;
    let loaded = load(&mut desk, &path, 1).await;
    assert_eq!((loaded.calls, loaded.others), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_or_of_something_else_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let problem = async |file: &[u8], largest_file: usize| {
        let path = folder.path().join("a.parquet");
        fs::write(&path, file).unwrap();
        let facts = tempfile::tempdir().unwrap();
        let mut desk = desk(facts.path()).await;
        let files = listing(&desk, &path).await.files;
        let wanted = akia_usage::facts::Load { files, largest_file, portion: 1 };
        let loaded = desk.load(&wanted, jiff::Timestamp::now(), &mut |_| ()).await.unwrap();
        assert_eq!(number(&desk, "SELECT count(*) FROM logs").await, 1, "it has a row");
        (loaded.kept, loaded.problems.first().map(|problem| problem.why.clone()))
    };
    let named = async |file: &[u8]| {
        let (kept, why) = problem(file, LARGEST).await;
        assert_eq!(kept, 0);
        why.unwrap()
    };
    let events: Vec<_> = (0..200).map(|at| event(KEY, &format!("Get{at}"), AT)).collect();
    let whole = Source::One.file(&events);
    assert_eq!(problem(&whole, LARGEST).await, (200, None));
    let damaged = "no Parquet that can be read";
    assert!(named(&whole[..whole.len() - 1]).await.starts_with(damaged));
    assert!(named(&whole[..whole.len() / 2]).await.starts_with(damaged));
    assert!(named(b"PAR1").await.starts_with(damaged));
    // Another table, and another source of Security Lake: EKS has operations, too.
    let schema = Arc::new(Schema::new(vec![Field::new("price", DataType::Int64, true)]));
    let foreign = parquet(schema, &[json!({ "price": 1 })], WriterProperties::default());
    assert!(named(&foreign).await.contains("holds no events of CloudTrail in OCSF: it has no column time"));
    let only_time = Arc::new(Schema::new(vec![Field::new("time", DataType::Int64, true)]));
    let only_time = parquet(only_time, &[json!({ "time": 1 })], WriterProperties::default());
    assert!(named(&only_time).await.contains("it has no column metadata.product.name"));
    let mut eks = Source::Two.file_with(&events, WriterProperties::default());
    for at in 0..eks.len() - 10 {
        if eks[at..].starts_with(b"CloudTrail") {
            eks[at..at + 10].copy_from_slice(b"Amazon EKS");
        }
    }
    assert_eq!(problem(&eks, LARGEST).await, (0, None), "its rows are others");
    let brotli = WriterProperties::builder().set_compression(Compression::BROTLI(Default::default())).build();
    assert!(named(&Source::Two.file_with(&events, brotli)).await.contains("compressed with BROTLI"));
    // A byte anywhere else: whatever it does, nothing breaks, and nothing counts that is not there.
    let mut step = 0;
    for at in (4..whole.len()).step_by(211) {
        let mut bent = whole.clone();
        bent[at] ^= 0x55;
        let (kept, why) = problem(&bent, LARGEST).await;
        assert!(kept == 200 || kept == 0 || why.is_none(), "{at}: {kept} {why:?}");
        step += usize::from(why.is_some());
    }
    assert!(step > 10, "{step}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_is_refused_whatever_it_says_of_its_size() {
    let folder = tempfile::tempdir().unwrap();
    let mut large = event(KEY, "GetObject", AT);
    large["userAgent"] = "a".repeat(LARGEST + 1).into();
    let mut many = event(KEY, "GetObject", AT);
    many["userAgent"] = "a".repeat(LARGEST / 16).into();
    // One large text, and a text of a dictionary that each row repeats.
    let many: Vec<_> = std::iter::repeat_n(many, 400).collect();
    for (name, file) in [
        ("gzip", Source::One.file(&[large.clone()])),
        ("zstd", Source::Two.file(&[large])),
        ("dictionary", Source::One.file(&many)),
    ] {
        assert!(file.len() < LARGEST / 4, "{name}: {}", file.len());
        let path = folder.path().join(format!("{name}.parquet"));
        fs::write(&path, file).unwrap();
        let mut desk = desk(&folder.path().join(format!("facts-{name}"))).await;
        let loaded = load(&mut desk, &path, 1).await;
        let why = &loaded.problems.first().expect(name).why;
        assert_eq!((why.as_str(), loaded.kept), ("it inflates to more than 8 MiB", 0), "{name}");
    }
}

/// A file whose largest page says of itself that it is a megabyte.
fn with_a_lie(mut file: Vec<u8>) -> Vec<u8> {
    // The header of a page of data: its kind, and then its size as a zigzag number, of four bytes where it is large.
    let is_large = |at: &usize| {
        let size = &file[at + 3..at + 7];
        file[*at..].starts_with(b"\x15\x00\x15") && size[..3].iter().all(|byte| *byte >= 0x80) && size[3] < 0x80
    };
    let at = (0..file.len() - 7).find(is_large).unwrap() + 3;
    let told = 2_usize << 20;
    for byte in 0..4 {
        file[at + byte] = (told >> (7 * byte)) as u8 & 0x7f | if byte < 3 { 0x80 } else { 0 };
    }
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_lies_about_its_size_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut large = event(KEY, "GetObject", AT);
    large["userAgent"] = "a".repeat(LARGEST + 1).into();
    let written = |codec| {
        let plain = WriterProperties::builder().set_dictionary_enabled(false).set_compression(codec);
        Source::Two
            .file_with(std::slice::from_ref(&large), plain.set_statistics_enabled(EnabledStatistics::None).build())
    };
    for (codec, refused) in [
        (Compression::GZIP(GzipLevel::default()), "no Parquet that can be read: a page is larger than it says"),
        (Compression::ZSTD(ZstdLevel::default()), "no Parquet that can be read: "),
        (Compression::SNAPPY, "no Parquet that can be read: "),
    ] {
        let path = folder.path().join("a.parquet");
        fs::write(&path, with_a_lie(written(codec))).unwrap();
        let mut desk = desk(&folder.path().join(codec.to_string())).await;
        let loaded = load(&mut desk, &path, 1).await;
        let why = &loaded.problems.first().expect(refused).why;
        assert!(why.starts_with(refused) && loaded.kept == 0, "{codec}: {why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_folders_of_security_lake_that_are_asked_for_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, bytes: &[u8]| {
        let path = folder.path().join("aws").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    for day in 1..=5 {
        for (source, account, region) in [
            ("CLOUD_TRAIL_MGMT", "111122223333", "eu-central-1"),
            ("CLOUD_TRAIL_MGMT", "111122223333", "us-east-1"),
            ("S3_DATA", "444455556666", "eu-central-1"),
            ("LAMBDA_EXECUTION", "444455556666", "eu-central-1"),
        ] {
            let file = Source::Two.file(&[event(KEY, "GetObject", &format!("2026-11-{day:02}T00:01:00Z"))]);
            write(
                &format!(
                    "{source}/2.0/region={region}/accountId={account}/eventDay=202611{day:02}/{day:032x}.gz.parquet"
                ),
                &file,
            );
        }
    }
    write("CLOUD_TRAIL_MGMT/2.0/metadata/00001-0.metadata.json", b"{}");
    write("VPC_FLOW/2.0/region=eu-central-1/accountId=111122223333/eventDay=20261101/a.gz.parquet", b"PAR1");
    let mut desk = desk(&folder.path().join("facts")).await;
    let place = folder.path().join("aws");
    let found = async |narrowing: Narrowing| {
        let listing = desk.list(place.to_str().unwrap(), &narrowing).await.unwrap();
        assert_eq!(listing.passed_over, 2, "Iceberg's own files, and flow logs");
        listing.files.len()
    };
    assert_eq!(found(Narrowing::default()).await, 20);
    assert_eq!(found(Narrowing { accounts: vec!["444455556666".to_owned()], ..Narrowing::default() }).await, 10);
    assert_eq!(found(Narrowing { regions: vec!["us-east-1".to_owned()], ..Narrowing::default() }).await, 5);
    let second = |day: &str| Some(format!("{day}T00:00:00Z").parse::<jiff::Timestamp>().unwrap().as_second());
    assert_eq!(found(Narrowing { since: second("2026-11-04"), ..Narrowing::default() }).await, 8);
    assert_eq!(found(Narrowing { until: second("2026-11-03"), ..Narrowing::default() }).await, 12);
    fs::remove_dir_all(place.join("CLOUD_TRAIL_MGMT/2.0/region=eu-central-1/accountId=111122223333/eventDay=20261103"))
        .unwrap();
    fs::remove_dir_all(place.join("CLOUD_TRAIL_MGMT/2.0/region=us-east-1/accountId=111122223333/eventDay=20261103"))
        .unwrap();
    load(&mut desk, &place, u64::MAX).await;
    let covered = OfAccount::of("111122223333", &desk.covered().await.unwrap());
    assert_eq!(covered.missing, ["2026-11-03".parse::<jiff::civil::Date>().unwrap()]);
    assert_eq!(covered.regions, ["eu-central-1", "us-east-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_of_both_kinds_may_lie_in_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.parquet"), Source::Two.file(&[event(KEY, "GetObject", AT)])).unwrap();
    fs::write(folder.path().join("b.json"), records(&[event(KEY, "GetObject", AT)])).unwrap();
    let facts = tempfile::tempdir().unwrap();
    let mut desk = desk(facts.path()).await;
    assert_eq!(load(&mut desk, folder.path(), u64::MAX).await.kept, 2);
    assert_eq!(number(&desk, "SELECT sum(calls) FROM facts").await, 2);
}
