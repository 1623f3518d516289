//! The journal on a PostgreSQL server: what only a server can do to it.

use std::time::{Duration, Instant};

use akia_io::state::LockError;
use akia_io::store::{DatabaseUrl, SharedStore, SqlStore, StoreError, Threads};

use crate::ground::{Ground, on_both};
use crate::postgres::server;
use crate::{open, rotation};

/// Five records in three rotations.
async fn with_records() -> (Ground, SharedStore) {
    let ground = Ground::postgresql();
    let store = open(&ground).await;
    for n in 0..5_u64 {
        store.append_json(rotation(n % 3).into(), format!("{{\"n\":{n}}}"), None).await.unwrap();
    }
    (ground, store)
}

#[tokio::test]
async fn opening_for_reading_creates_nothing() {
    let ground = Ground::postgresql();
    assert!(SqlStore::open_existing(&ground.home).await.unwrap().is_none());
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
    assert_eq!(server().psql(ground.address(), tables), "0");
    let namespaces = "SELECT count(*) FROM pg_namespace WHERE nspname = 'akia'";
    assert_eq!(server().psql(ground.address(), namespaces), "0");
    drop(open(&ground).await);
    assert!(SqlStore::open_existing(&ground.home).await.unwrap().is_some());
}

#[tokio::test]
async fn the_session_is_durable_and_notices_a_dead_machine_in_time() {
    let (ground, _store) = with_records().await;
    // What a role or a database sets does not count.
    server().psql(ground.address(), "ALTER ROLE akia SET synchronous_commit TO off");
    let store = open(&ground).await;
    let _lock = store.lock("here").await.unwrap();
    server().psql(ground.address(), "ALTER ROLE akia RESET synchronous_commit");
    let name = format!("akia %/{}", std::process::id());
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '{name}'"
    );
    assert_eq!(server().psql(ground.address(), &sql), "2");
    // The session tells about itself through a trigger, as it tells nobody else.
    server().psql(
        ground.address(),
        "CREATE TABLE akia.seen (name TEXT, setting TEXT);
         CREATE FUNCTION akia.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO akia.seen SELECT name, setting FROM pg_settings; RETURN NEW; END $$;
         CREATE TRIGGER see AFTER UPDATE ON akia.head FOR EACH ROW EXECUTE FUNCTION akia.see()",
    );
    store.append_json(rotation(1).into(), "{}".into(), None).await.unwrap();
    let setting = |name: &str| {
        server().psql(ground.address(), &format!("SELECT setting FROM akia.seen WHERE name = '{name}' LIMIT 1"))
    };
    for (name, expected) in [
        ("synchronous_commit", "on"),
        ("fsync", "on"),
        ("search_path", "akia"),
        ("transaction_isolation", "read committed"),
        ("idle_in_transaction_session_timeout", "20000"),
    ] {
        assert_eq!(setting(name), expected, "{name}");
    }
}

#[tokio::test]
async fn a_connection_that_was_cut_ends_the_store_for_good() {
    let (ground, store) = with_records().await;
    let lock = store.lock("user alice").await.unwrap();
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND application_name LIKE 'akia %'";
    assert_eq!(server().psql(ground.address(), cut), "1");
    for _ in 0..3 {
        let error = store.append_json(rotation(1).into(), "{}".into(), None).await.err().unwrap();
        assert!(matches!(error, StoreError::Lost { .. }), "{error}");
        assert!(error.to_string().contains("was lost"), "{error}");
        assert_eq!(error.hint(), "akia resume");
        assert!(!format!("{error} {error:?}").contains("akia@localhost/test_0"), "{error}");
    }
    assert!(matches!(store.entries(Threads::All).await, Err(StoreError::Lost { .. })));
    assert!(matches!(store.lock("user bob").await, Err(LockError::Store { .. })));
    // Others have the lock and the journal, though the guard of the lost one is still there.
    let other = open(&ground).await;
    let _theirs = other.lock("user alice").await.unwrap();
    assert_eq!(other.append_json(rotation(2).into(), "{}".into(), None).await.unwrap().seq, 6);
    assert_eq!(other.verify(Vec::new()).await.unwrap().seq, 6);
    drop(lock);
    assert!(matches!(store.append_json(rotation(1).into(), "{}".into(), None).await, Err(StoreError::Lost { .. })));
}

#[tokio::test]
async fn the_database_refuses_to_change_records() {
    let (ground, store) = with_records().await;
    for (statement, reason) in [
        ("UPDATE akia.records SET body = '{}' WHERE seq = 2", "records are never changed"),
        ("DELETE FROM akia.records WHERE seq = 5", "records are never deleted"),
        ("TRUNCATE akia.records", "records are never deleted"),
        (
            "INSERT INTO akia.records SELECT 0, rotation, body, hash FROM akia.records WHERE seq = 1",
            "records are never replaced",
        ),
    ] {
        let error = server().try_psql(ground.address(), statement).unwrap_err();
        assert!(error.contains(reason), "{statement}: {error}");
    }
    assert_eq!(store.verify(Vec::new()).await.unwrap().seq, 5);
}

#[tokio::test]
async fn tampering_with_the_triggers_out_of_the_way_shows() {
    for (statement, seq, what) in [
        ("UPDATE akia.records SET body = '{\"n\":7}' WHERE seq = 2", 2, "record 2 does not have the hash"),
        ("UPDATE akia.records SET rotation = 'nonsense' WHERE seq = 4", 4, "id of record 4 is malformed"),
        (
            "UPDATE akia.records SET hash = decode(repeat('00', 32), 'hex') WHERE seq = 1",
            1,
            "record 1 does not have the hash",
        ),
        ("DELETE FROM akia.records WHERE seq = 3", 3, "record 3 is missing; record 4 follows"),
        ("DELETE FROM akia.records WHERE seq >= 4", 4, "records 4 to 5 are missing at the end"),
        ("TRUNCATE akia.records", 1, "records 1 to 5 are missing at the end"),
    ] {
        let (ground, store) = with_records().await;
        server().psql(
            ground.address(),
            &format!(
                "ALTER TABLE akia.records DISABLE TRIGGER ALL; {statement}; ALTER TABLE akia.records ENABLE TRIGGER ALL"
            ),
        );
        match store.verify(Vec::new()).await {
            Err(StoreError::Tampered(tampered)) => {
                assert_eq!(tampered.seq, seq, "{statement}: {tampered}");
                assert!(tampered.what.contains(what), "{statement}: {tampered}");
            }
            other => panic!("{statement}: {other:?}"),
        }
        if what.ends_with("at the end") {
            let appended = store.append_json(rotation(1).into(), "{}".into(), None).await;
            assert!(matches!(appended, Err(StoreError::Tampered(_))), "a cut tail is never papered over: {appended:?}");
        }
    }
    let (ground, store) = with_records().await;
    server().psql(ground.address(), "ALTER TABLE akia.records DISABLE TRIGGER records_are_never_deleted");
    assert!(matches!(store.verify(Vec::new()).await, Err(StoreError::Tampered(_))));
}

#[tokio::test]
async fn a_writer_that_hangs_holds_up_the_others_for_a_while_and_not_for_good() {
    let (ground, store) = with_records().await;
    // As a process that was stopped in the middle of an append.
    let url = ground.address().to_owned();
    let hanging = std::thread::spawn(move || {
        server().try_psql(&url, "BEGIN; SELECT written FROM akia.head FOR UPDATE; SELECT pg_sleep(2); ROLLBACK")
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let started = Instant::now();
    assert_eq!(store.append_json(rotation(1).into(), "{}".into(), None).await.unwrap().seq, 6);
    assert!(started.elapsed() > Duration::from_millis(500), "it did not wait for the row of the head");
    hanging.join().unwrap().unwrap();
    assert_eq!(store.verify(Vec::new()).await.unwrap().seq, 6);
}

#[tokio::test]
async fn an_older_akia_goes_on_beside_a_later_minor_version_and_refuses_a_later_major_one() {
    let (ground, store) = with_records().await;
    // What the akia after this one will have done.
    server().psql(
        ground.address(),
        "ALTER TABLE akia.messages ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;
         INSERT INTO akia.schema_version (major, minor, akia) VALUES (1, 1, '9.9.9')",
    );
    store.append_json(rotation(1).into(), "{}".into(), None).await.unwrap();
    let again = open(&ground).await;
    assert_eq!(again.append_json(rotation(1).into(), "{}".into(), None).await.unwrap().seq, 7);
    server().psql(ground.address(), "INSERT INTO akia.schema_version (major, minor, akia) VALUES (2, 0, '10.0.0')");
    for error in [SqlStore::open(&ground.home).await.err(), SqlStore::open_existing(&ground.home).await.err()] {
        let error = error.unwrap();
        assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error}");
        assert!(error.hint().starts_with("install the newer akia"), "{}", error.hint());
    }
}

#[tokio::test]
async fn many_that_come_to_an_empty_database_at_once_make_one_schema() {
    let ground = Ground::postgresql();
    let opening = (0..8).map(|_| {
        let home = ground.home.clone();
        tokio::spawn(async move { SqlStore::open(home).await.map(|_| ()) })
    });
    for opened in opening.collect::<Vec<_>>() {
        opened.await.unwrap().unwrap();
    }
    assert_eq!(server().psql(ground.address(), "SELECT count(*) FROM akia.schema_version"), "1");
}

#[tokio::test]
async fn tables_have_the_columns_of_the_sqlite_databases() {
    let (ground, _store) = with_records().await;
    let files = Ground::sqlite();
    drop(open(&files).await);
    drop(akia_io::store::snapshots::Snapshots::open(&files.home).await.unwrap());
    drop(akia_io::notify::Outbox::open(&files.home).await.unwrap());
    let akia_io::store::Home::Folder(folder) = &files.home else { panic!() };
    let mut compared = 0;
    for file in ["journal.db", "audits.db", "outbox.db"] {
        use sqlx::Connection as _;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join(file));
        let mut connection = sqlx::sqlite::SqliteConnection::connect_with(&options).await.unwrap();
        let tables: Vec<String> =
            sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
                .fetch_all(&mut connection)
                .await
                .unwrap();
        for table in tables {
            let columns: Vec<String> = sqlx::query_scalar(
                "SELECT name || ' ' || CASE type WHEN 'INTEGER' THEN 'bigint' WHEN 'BLOB' THEN 'bytea' ELSE 'text' END
                     || CASE WHEN \"notnull\" OR pk THEN ' not null' ELSE '' END FROM pragma_table_info(?) ORDER BY cid",
            )
            .bind(&table)
            .fetch_all(&mut connection)
            .await
            .unwrap();
            let theirs = server().psql(
                ground.address(),
                &format!(
                    "SELECT column_name || ' ' || data_type || CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END
                     FROM information_schema.columns WHERE table_schema = 'akia' AND table_name = '{table}' ORDER BY ordinal_position"
                ),
            );
            assert_eq!(theirs.lines().collect::<Vec<_>>(), columns, "{table}");
            compared += 1;
        }
    }
    assert_eq!(compared, 8);
}

#[tokio::test]
async fn machines_with_another_sealing_key_are_refused_as_long_as_something_is_staged() {
    let (ground, store) = with_records().await;
    let one = SqlStore::open(&ground.home).await.unwrap();
    one.agree_on_sealing_key("aaaa").await.unwrap();
    one.agree_on_sealing_key("aaaa").await.unwrap();
    server()
        .psql(ground.address(), "INSERT INTO akia.staged VALUES ('r-0000000000000001', 'AKIAIOSFODNN7EXAMPLE', 'x')");
    let error = one.agree_on_sealing_key("bbbb").await.err().unwrap();
    assert!(
        error.to_string().contains("are sealed with key aaaa, and the sealing key of this machine is bbbb"),
        "{error}"
    );
    assert_eq!(store.unstage(&rotation(1), None).await.unwrap(), 1);
    one.agree_on_sealing_key("bbbb").await.unwrap();
    assert_eq!(server().psql(ground.address(), "SELECT value FROM akia.meta WHERE name = 'sealing_key'"), "bbbb");
}

#[tokio::test]
async fn a_server_that_cannot_be_had_is_named_without_its_password() {
    for (url, reason) in [
        // Nothing listens there.
        ("postgres://akia:pa55word@127.0.0.1:9/akia".to_owned(), "refused"),
        // It has no TLS.
        (format!("{}&sslmode=require", server().database()).replace("akia@", "akia:pa55word@"), "TLS"),
        (server().database().replace("/test_", "/none_").replace("akia@", "akia:pa55word@"), "does not exist"),
    ] {
        let url: DatabaseUrl = url.parse().unwrap();
        let error = SqlStore::open(&akia_io::store::Home::Server(url)).await.err().unwrap();
        assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
        let text = format!("{error} {error:?} {}", error.hint());
        assert!(text.contains(reason), "{text}");
        assert!(!text.contains("pa55word") && text.contains("AKIA_DATABASE"), "{text}");
    }
}

on_both! {
/// The order of threads is that of bytes, whatever the server sorts by.
async fn threads_of_a_kind_are_told_apart(ground: Ground) {
    let store = open(&ground).await;
    for id in ["r-00000000000000ff", "c-00000000000000ff", "q-00000000000000ff", "k-00000000000000ff"] {
        store.append_json(id.parse().unwrap(), "{}".into(), None).await.unwrap();
    }
    for (of, first) in [
        (Threads::Rotations, 1), (Threads::Cases, 2), (Threads::Quarantines, 3), (Threads::Containments, 4),
    ] {
        let found = store.entries(of.clone()).await.unwrap();
        assert_eq!(found.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [first], "{of:?}");
    }
    assert_eq!(store.entries(Threads::All).await.unwrap().len(), 4);
    assert_eq!(store.rotations().await.unwrap().len(), 1);
}
}
