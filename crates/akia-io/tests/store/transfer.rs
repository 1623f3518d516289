//! Everything out of one database and into another, and back.

use std::io::BufReader;

use akia_io::notify::Outbox;
use akia_io::store::snapshots::Snapshots;
use akia_io::store::transfer::{Counts, TransferError, count, export, import};
use akia_io::store::{Home, Stage, StoreError};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::ground::Ground;
use crate::postgres::server;
use crate::{key, open, rotation};

async fn out(home: &Home) -> (Vec<u8>, Counts) {
    let mut file = Vec::new();
    let counts = export(home, &mut file).await.unwrap();
    (file, counts)
}

async fn into(home: &Home, file: &[u8]) -> Result<Counts, TransferError> {
    import(home, &mut BufReader::new(file)).await
}

/// A row of each table, with what is awkward: characters of every kind, bytes of every value, nothing where nothing may be.
async fn filled() -> Ground {
    let ground = Ground::sqlite();
    let store = open(&ground).await;
    for n in 0..30_u64 {
        let sealed = akia_io::seal::Sealed::from_bytes((0..=255).collect());
        let stage = (n % 10 == 0).then(|| Stage { key: key(), sealed });
        let body = format!("{{\"n\":{n},\"text\":\"ä\\u0000\\\"\\n💾\"}}");
        store.append_json(rotation(n % 3).into(), body, stage).await.unwrap();
    }
    drop(Snapshots::open(&ground.home).await.unwrap());
    drop(Outbox::open(&ground.home).await.unwrap());
    let Home::Folder(folder) = &ground.home else { panic!() };
    for (file, sql) in [
        (
            "audits.db",
            "INSERT INTO audits VALUES (7, 1, 'aws', 's', 't', '0.1', 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, '[]', NULL, 0);
             INSERT INTO bodies VALUES (7, '123456789012', 1, x'00ff10'), (7, '123456789013', 0, x'');
             INSERT INTO imports VALUES (7, '123456789012', 'eu-west-1', 0);
             INSERT INTO events VALUES ('e', 1, 2, 'aws', 'applied', 'd', NULL, '[]', '[]', 'line' || char(10) || 'line')",
        ),
        (
            "outbox.db",
            "INSERT INTO messages (id, notice, channel, kind, content, state, enqueued_at, due_at)
             VALUES (41, 'n-1', 'log', 'announced', '{}', 'pending', 1, 9223372036854775807)",
        ),
    ] {
        let options = SqliteConnectOptions::new().filename(folder.path().join(file));
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
    ground
}

#[tokio::test]
async fn from_a_file_to_a_server_and_back_nothing_is_lost() {
    let ground = filled().await;
    let (first, counts) = out(&ground.home).await;
    assert_eq!(
        counts,
        [("records", 30), ("staged", 3), ("audits", 1), ("bodies", 2), ("imports", 1), ("events", 1), ("messages", 1)]
    );
    let on_server = Ground::postgresql();
    assert_eq!(into(&on_server.home, &first).await.unwrap(), counts);
    let (second, _) = out(&on_server.home).await;
    assert_eq!(String::from_utf8(second.clone()).unwrap(), String::from_utf8(first.clone()).unwrap());
    let back = Ground::sqlite();
    into(&back.home, &second).await.unwrap();
    assert_eq!(out(&back.home).await.0, first);
    for ground in [&on_server, &back] {
        assert_eq!(count(&ground.home).await.unwrap(), counts);
        let store = open(ground).await;
        let head = store.verify(Vec::new()).await.unwrap();
        assert_eq!(head, open(&crate::transfer::filled().await).await.verify(Vec::new()).await.unwrap());
        // And both go on where the first stood.
        assert_eq!(store.append_json(rotation(1).into(), "{}".into(), None).await.unwrap().seq, 31);
        store.verify(vec![head.hash]).await.unwrap();
    }
    // Numbers that the server gives out do not begin anew.
    let next = "INSERT INTO akia.messages (notice, channel, kind, content, state, enqueued_at, due_at)
                VALUES ('n-2', 'log', 'announced', '{}', 'pending', 1, 1) RETURNING id";
    assert_eq!(server().psql(on_server.address(), next), "42");
}

#[tokio::test]
async fn what_is_not_empty_is_not_mixed_with_and_what_is_not_whole_is_not_begun() {
    let (file, _) = out(&filled().await.home).await;
    let text = String::from_utf8(file.clone()).unwrap();
    for empty in [Ground::sqlite, Ground::postgresql] {
        let ground = empty();
        into(&ground.home, &file).await.unwrap();
        match into(&ground.home, &file).await {
            Err(TransferError::NotEmpty { table: "records", rows: 30, .. }) => {}
            other => panic!("{other:?}"),
        }
        let fresh = ground.another();
        let cut: String = text.lines().take(20).map(|line| format!("{line}\n")).collect();
        let dropped: String =
            text.lines().filter(|line| !line.contains("n-1")).map(|line| format!("{line}\n")).collect();
        for (broken, reason) in [
            (cut, "the end is missing: the file was cut off"),
            (dropped, "line 40 is not what akia store export writes: 1 rows of messages were written, and 0 are here"),
            (text.replace("akia.store/1", "akia.store/2"), "it is of schema \"akia.store/2\""),
            (text.replacen("\"due_at\":9", "\"due\":9", 1), "table messages has no column \"due\""),
            (String::new(), "the end is missing"),
        ] {
            let error = into(&fresh.home, broken.as_bytes()).await.unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        let forged = text.replacen("{\\\"n\\\":3,", "{\\\"n\\\":4,", 1);
        assert_ne!(forged, text);
        match into(&fresh.home, forged.as_bytes()).await {
            Err(TransferError::Store(StoreError::Tampered(tampered))) => assert_eq!(tampered.seq, 4),
            other => panic!("{other:?}"),
        }
        assert!(count(&fresh.home).await.unwrap().iter().all(|(_, rows)| *rows == 0));
        into(&fresh.home, &file).await.unwrap();
    }
}
