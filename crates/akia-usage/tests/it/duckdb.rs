//! Answers equal DuckDB's, row for row, on generated logs.
//!
//! DuckDB stands in a venv, `AKIA_TEST_VENV` or `target/venv`, which `cargo xtask venv` makes.

use std::path::PathBuf;
use std::process::Command;

use akia_corpus::trail::{Scale, Trail};

use crate::support::{LARGEST, desk, listing};

/// DuckDB's reading of the same logs. Its `read_json` needs the columns told: left alone, it takes types from a sample.
const SCRIPT: &str = r#"
import duckdb, sys
logs = sys.argv[1] + "/**/*.json.gz"
# On a busy machine its bar would stand between the rows.
duckdb.sql("SET enable_progress_bar = false")
duckdb.sql(f"""CREATE TABLE e AS SELECT
  r->>'$.userIdentity.accessKeyId' AS key, r->>'$.userIdentity.accountId' AS account,
  regexp_replace(r->>'$.eventSource', '\\.amazonaws\\.com$', '') AS service, r->>'$.eventName' AS name,
  r->>'$.awsRegion' AS region, r->>'$.sourceIPAddress' AS ip, r->>'$.userAgent' AS agent, r->>'$.errorCode' AS error,
  r->>'$.eventID' AS event_id, r->>'$.userIdentity.type' AS kind, CAST(epoch(CAST(r->>'$.eventTime' AS TIMESTAMP)) AS BIGINT) AS time
  FROM (SELECT unnest(Records) AS r FROM read_json('{logs}', columns={{'Records': 'JSON[]'}}, maximum_object_size=67108864))""")
for row in duckdb.sql(sys.argv[2]).fetchall():
    print(",".join("" if value is None else str(value) for value in row))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn answers_equal_those_of_duckdb() {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let venv = std::env::var_os("AKIA_TEST_VENV").map_or_else(|| workspace.join("target/venv"), PathBuf::from);
    let folder = tempfile::tempdir().unwrap();
    Trail::new(Scale { events: 12_000, files: 24, keys: 30, days: 5, seed: 11 }).write(folder.path()).unwrap();
    let logs = folder.path().join("AWSLogs");
    let desk = desk(&folder.path().join("facts")).await;
    let receipts = desk.attach(listing(&desk, &logs).await, LARGEST).unwrap();
    for (ours, theirs) in [
        // The question of the benchmark.
        (
            "SELECT key, sum(calls), CAST(min(first) AS BIGINT), CAST(max(last) AS BIGINT), count(DISTINCT ip), count(DISTINCT agent), \
             count(DISTINCT service || ' ' || name) FROM calls GROUP BY key ORDER BY key NULLS LAST",
            "SELECT key, count(*), min(time), max(time), count(DISTINCT ip), count(DISTINCT agent), \
             count(DISTINCT service || ' ' || name) FROM e GROUP BY key ORDER BY key NULLS LAST",
        ),
        // Different values that are counted beside each other, and beside what else is asked: of all, of nothing, of what is null.
        (
            "SELECT count(DISTINCT ip), count(DISTINCT agent), count(*), count(error), max(name) FROM events",
            "SELECT count(DISTINCT ip), count(DISTINCT agent), count(*), count(error), max(name) FROM e",
        ),
        (
            "SELECT count(DISTINCT ip), count(DISTINCT name), count(*), sum(calls), min(ip) FROM calls WHERE region = 'nowhere'",
            "SELECT count(DISTINCT ip), count(DISTINCT name), count(*), NULL, min(ip) FROM e WHERE region = 'nowhere'",
        ),
        (
            "SELECT region, count(DISTINCT error) + 1, count(DISTINCT key), min(name), count(error), count(DISTINCT error) FROM events GROUP BY region ORDER BY 1",
            "SELECT region, count(DISTINCT error) + 1, count(DISTINCT key), min(name), count(error), count(DISTINCT error) FROM e GROUP BY region ORDER BY 1",
        ),
        (
            "SELECT upper(service) AS s, count(*) AS n, count(DISTINCT name) FROM events GROUP BY s HAVING count(DISTINCT name) > 1 ORDER BY n, s",
            "SELECT upper(service) AS s, count(*) AS n, count(DISTINCT name) FROM e GROUP BY s HAVING count(DISTINCT name) > 1 ORDER BY n, s",
        ),
        (
            "SELECT max(ips) FROM (SELECT key, count(DISTINCT ip) FILTER (WHERE error IS NULL) AS ips, count(DISTINCT name) FROM events GROUP BY key)",
            "SELECT max(ips) FROM (SELECT key, count(DISTINCT ip) FILTER (WHERE error IS NULL) AS ips, count(DISTINCT name) FROM e GROUP BY key)",
        ),
        (
            "SELECT service, sum(calls), count(DISTINCT name || ip), count(DISTINCT agent), min(error), max(key), sum(calls) FILTER (WHERE name LIKE 'Get%') \
             FROM calls WHERE region <> 'eu-west-1' AND of_user GROUP BY service ORDER BY service",
            "SELECT service, count(*), count(DISTINCT name || ip), count(DISTINCT agent), min(error), max(key), sum(1) FILTER (WHERE name LIKE 'Get%') \
             FROM e WHERE region <> 'eu-west-1' AND kind = 'IAMUser' GROUP BY service ORDER BY service",
        ),
        // Each event.
        (
            "SELECT event_id, CAST(time AS BIGINT), key, account, service, name, region, ip, error FROM events ORDER BY event_id",
            "SELECT event_id, time, key, account, service, name, region, ip, error FROM e ORDER BY event_id",
        ),
        // A filter that the scan takes upon itself, and one that it cannot.
        (
            "SELECT name, count(*) FROM events WHERE service = 's3' AND error IS NULL GROUP BY name ORDER BY name",
            "SELECT name, count(*) FROM e WHERE service = 's3' AND error IS NULL GROUP BY name ORDER BY name",
        ),
        (
            "SELECT count(*) FROM events WHERE time >= TIMESTAMP '2026-10-02T00:00:00Z' AND time < TIMESTAMP '2026-10-04T00:00:00Z'",
            "SELECT count(*) FROM e WHERE time >= epoch(TIMESTAMP '2026-10-02') AND time < epoch(TIMESTAMP '2026-10-04')",
        ),
        (
            "SELECT sum(calls) FROM calls WHERE region IN ('eu-central-1', 'us-east-1')",
            "SELECT count(*) FROM e WHERE region IN ('eu-central-1', 'us-east-1')",
        ),
    ] {
        let answer = akia_usage::answer::csv(&desk.sql(ours).await.unwrap()).unwrap();
        let rows: Vec<&str> = answer.lines().skip(1).collect();
        let python = Command::new(venv.join("bin/python"))
            .args(["-c", SCRIPT, logs.to_str().unwrap(), theirs])
            .output()
            .expect("cargo xtask venv");
        assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
        let told = String::from_utf8(python.stdout).unwrap();
        let expected: Vec<&str> = told.lines().collect();
        assert!(!rows.is_empty());
        assert_eq!(rows.len(), expected.len(), "{ours}");
        let unequal = rows.iter().zip(&expected).find(|(one, other)| one != other);
        assert_eq!(unequal, None, "{ours}");
    }
    assert_eq!(akia_usage::problems(&receipts), []);
    let question = "EXPLAIN SELECT key, count(DISTINCT ip), count(DISTINCT name) FROM calls GROUP BY key";
    let plan = akia_usage::answer::csv(&desk.sql(question).await.unwrap()).unwrap();
    assert!(plan.contains("GROUPING SETS"), "{plan}");
}
