//! Databases that SQLite itself wrote.

use std::fs;
use std::path::Path;

use crate::support::{Key, complete, id_places, key, paths, python, report_of};

fn database(folder: &Path, program: &str) -> Vec<u8> {
    let _ = fs::remove_file(folder.join("out"));
    python(folder, &format!("import sqlite3, os, shutil\nc = sqlite3.connect('out')\n{program}"));
    fs::read(folder.join("out")).unwrap()
}

fn insert(key: &Key) -> String {
    format!("c.execute(\"insert into keys values ('alice', '{}', '{}', 7)\"); c.commit()\n", key.id, key.secret)
}

const TABLE: &str = "c.execute('create table keys (owner text, id text, secret text, n integer)')\n";

#[test]
fn rows_in_every_encoding_and_size_of_page() {
    let key = key(30);
    let folder = tempfile::tempdir().unwrap();
    for encoding in ["UTF-8", "UTF-16le", "UTF-16be"] {
        for page in [512, 4096, 65536] {
            let program = format!(
                "c.execute('pragma page_size={page}'); c.execute('pragma encoding=\"{encoding}\"')\n{TABLE}{}",
                insert(&key)
            );
            let report = report_of(&database(folder.path(), &program));
            assert_eq!(paths(&report, &key), ["f!keys"], "{encoding} {page}");
            complete(&report);
        }
    }
}

#[test]
fn rows_deep_in_a_table_an_index_and_a_table_without_rowid() {
    let (deep, keyed) = (key(31), key(32));
    let folder = tempfile::tempdir().unwrap();
    let program = format!(
        "{TABLE}c.execute('create index by_id on keys (id)')
c.executemany('insert into keys values (?, ?, ?, ?)', [('user%d' % n, 'x' * 30, 'y' * 40, n) for n in range(20000)])
{}c.executemany('insert into keys values (?, ?, ?, ?)', [('user%d' % n, 'x' * 30, 'y' * 40, n) for n in range(20000)])
c.execute('create table plain (id text primary key, secret text) without rowid')
c.execute(\"insert into plain values ('{}', '{}')\"); c.commit()",
        insert(&deep),
        keyed.id,
        keyed.secret
    );
    let report = report_of(&database(folder.path(), &program));
    assert_eq!(paths(&report, &deep), ["f!keys", "f!keys"], "the row, and its index");
    assert_eq!(paths(&report, &keyed), ["f!plain"]);
    assert!(id_places(&report, &deep).iter().all(|(path, _)| path == "f!keys"), "its index is told by the table");
    complete(&report);
}

#[test]
fn rows_that_overflow_their_page_are_put_together() {
    let folder = tempfile::tempdir().unwrap();
    // Whatever the length before it, some id stands across two pages.
    let rows: Vec<(usize, Key)> = (0..60).map(|number| (4000 + 7 * number, key(3300 + number as u64))).collect();
    let mut program = format!("c.execute('pragma page_size=1024')\n{TABLE}");
    for (before, key) in &rows {
        let text = key.text().replace('\n', "\\n");
        let value = format!("'a' * {before} + '\\n{text}' + 'z' * 3000");
        program.push_str(&format!("c.execute('insert into keys values (?, 1, 2, 3)', ({value},))\n"));
    }
    program.push_str("c.commit()\n");
    let report = report_of(&database(folder.path(), &program));
    for (_, key) in &rows {
        assert_eq!(paths(&report, key), ["f!keys"]);
    }
    complete(&report);
}

#[test]
fn deleted_rows_and_dropped_tables_are_found() {
    let (row, table) = (key(34), key(35));
    let folder = tempfile::tempdir().unwrap();
    let deleted = format!(
        "c.execute('pragma secure_delete=off')\n{TABLE}{}{}c.execute('delete from keys where n = 7'); c.commit()",
        insert(&row),
        "c.executemany('insert into keys values (?, ?, ?, ?)', [('u', 'x', 'y', 1)] * 5)\n"
    );
    let bytes = database(folder.path(), &deleted);
    let report = report_of(&bytes);
    id_places(&report, &row);

    let dropped = format!(
        "c.execute('pragma secure_delete=off')\n{TABLE}{}c.execute('drop table keys'); c.commit()",
        insert(&table)
    );
    id_places(&report_of(&database(folder.path(), &dropped)), &table);
}

#[test]
fn the_log_beside_a_database() {
    let key = key(36);
    let folder = tempfile::tempdir().unwrap();
    let program = format!(
        "c.execute('pragma journal_mode=wal')\n{TABLE}{}shutil.copy('out-wal', 'wal'); os._exit(0)",
        insert(&key)
    );
    database(folder.path(), &program);
    let report = report_of(&fs::read(folder.path().join("wal")).unwrap());
    assert!(paths(&report, &key).iter().all(|path| path == "f!keys" || path.starts_with("f!page ")));
    complete(&report);
}

#[test]
fn archives_and_databases_within_each_other() {
    let key = key(37);
    let folder = tempfile::tempdir().unwrap();
    let program = format!(
        "import gzip, io, zipfile
c.execute('create table files (name text, content blob)')
c.execute('insert into files values (?, ?)', ('a', gzip.compress(b'''{}''' + b'x' * 5000))); c.commit(); c.close()
z = zipfile.ZipFile('zip', 'w', zipfile.ZIP_DEFLATED); z.write('out', 'app.db'); z.close()
os.rename('zip', 'out')",
        key.text()
    );
    let report = report_of(&database(folder.path(), &program));
    assert_eq!(paths(&report, &key), ["f!app.db!files"]);
    complete(&report);
}
