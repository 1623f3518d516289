//! Archives and compressed files, one in another.

use std::fs;
use std::io::Write;
use std::path::Path;

use akia_core::leak::{Part, Why};

use crate::support::{Key, complete, id_places, key, paths, place, python, report_of, run, told};

/// A file with a key, packed by a command that leaves `out`.
fn packed(key: &Key, program: &str, arguments: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("home/.aws")).unwrap();
    let noise = "nothing to see here\n".repeat(2000);
    fs::write(folder.path().join("home/.aws/credentials"), format!("{noise}{}", key.text())).unwrap();
    let stdout = run(folder.path(), program, arguments);
    if stdout.is_empty() { fs::read(folder.path().join("out")).unwrap() } else { stdout }
}

const FILE: &str = "home/.aws/credentials";

#[test]
fn plain_bytes_have_lines() {
    let key = key(1);
    let report = report_of(format!("a\nb\n{}", key.text()).as_bytes());
    assert_eq!(paths(&report, &key), ["f"]);
    assert_eq!(report.leaks[0].places[0].place.line, Some(4));
    complete(&report);
}

#[test]
fn compressed_files_of_every_form() {
    let key = key(2);
    for program in ["gzip", "bzip2", "xz", "zstd", "lzma"] {
        let bytes = packed(&key, program, &["-c", FILE]);
        let report = report_of(&bytes);
        assert_eq!(paths(&report, &key), ["f"], "{program}");
        assert_eq!(report.leaks[0].places[0].place.line, Some(2002), "{program}");
        complete(&report);

        // Several, one behind the other, are one.
        let other = key2();
        let mut both = packed(&other, program, &["-c", FILE]);
        if program != "lzma" {
            both.extend(&bytes);
            let report = report_of(&both);
            assert_eq!(
                (paths(&report, &key), paths(&report, &other)),
                (vec!["f".into()], vec!["f".into()]),
                "{program}"
            );
            complete(&report);
        }
    }
}

fn key2() -> Key {
    key(1002)
}

#[test]
fn what_stands_behind_a_compressed_file_is_seen() {
    let (key, behind) = (key(3), key2());
    for program in ["gzip", "bzip2", "xz", "zstd", "lzma"] {
        let mut bytes = packed(&key, program, &["-c", FILE]);
        bytes.extend(b"\0\0\0\0\n");
        bytes.extend(behind.text().as_bytes());
        let report = report_of(&bytes);
        assert_eq!(paths(&report, &key), ["f"], "{program}");
        assert_eq!(paths(&report, &behind), ["f"], "{program}");
    }
}

#[test]
fn tar_archives_of_every_format() {
    let key = key(4);
    for format in ["v7", "ustar", "gnu", "oldgnu", "posix", "pax"] {
        let report = report_of(&packed(&key, "tar", &["--format", format, "-cf", "-", "home"]));
        assert_eq!(paths(&report, &key), ["f!home/.aws/credentials"], "{format}");
        assert_eq!(report.leaks[0].places[0].place.line, Some(2002));
        complete(&report);
    }
    for pack in ["-z", "-j", "-J", "--zstd"] {
        let report = report_of(&packed(&key, "tar", &[pack, "-cf", "-", "home"]));
        assert_eq!(paths(&report, &key), ["f!home/.aws/credentials"], "{pack}");
        complete(&report);
    }
}

#[test]
fn long_names_links_and_sparse_files_in_tar() {
    let (content, name, link, sparse) = (key(5), key(6), key(7), key(8));
    let folder = tempfile::tempdir().unwrap();
    let deep = format!("{}/{}/{}", "d".repeat(120), "e".repeat(120), name.id);
    fs::create_dir_all(folder.path().join(&deep)).unwrap();
    fs::write(folder.path().join(&deep).join("x"), content.text()).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(format!("{}/{}", "t".repeat(150), link.id), folder.path().join("link")).unwrap();
    // Holes enough for a map that does not fit in the header.
    let mut file = fs::File::create(folder.path().join("sparse")).unwrap();
    for hole in 0..40u64 {
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(hole << 20)).unwrap();
        file.write_all(b"x\n").unwrap();
    }
    file.write_all(sparse.text().as_bytes()).unwrap();
    drop(file);
    for format in ["gnu", "pax"] {
        let bytes = run(folder.path(), "tar", &["--format", format, "-Scf", "-", "."]);
        assert!(bytes.len() < 5 << 20, "the sparse file is packed as one");
        let report = report_of(&bytes);
        assert_eq!(paths(&report, &content), [format!("f!./{deep}/x")], "{format}");
        assert!(id_places(&report, &name).contains(&(format!("f!./{deep}/"), Part::Name)), "{format}");
        assert_eq!(id_places(&report, &link), [("f!./link".to_owned(), Part::Name)], "{format}");
        assert_eq!(paths(&report, &sparse), ["f!./sparse"], "{format}");
        complete(&report);
    }
}

#[test]
fn what_is_appended_to_a_tar_is_seen() {
    let (first, second) = (key(9), key2());
    let mut bytes = packed(&first, "tar", &["-cf", "-", "home"]);
    bytes.extend(packed(&second, "tar", &["-cf", "-", "home"]));
    let report = report_of(&bytes);
    assert_eq!((paths(&report, &first).len(), paths(&report, &second).len()), (1, 1));
    complete(&report);
}

fn zipped(folder: &Path, program: &str) -> Vec<u8> {
    python(folder, program);
    fs::read(folder.join("out")).unwrap()
}

#[test]
fn zip_archives_of_every_method() {
    let key = key(10);
    let folder = tempfile::tempdir().unwrap();
    for method in ["ZIP_STORED", "ZIP_DEFLATED", "ZIP_BZIP2", "ZIP_LZMA"] {
        // Written to a file, sizes stand before the content; to a pipe, behind it.
        for (kind, sink) in [("file", "open('out', 'wb')"), ("pipe", "Pipe()")] {
            let program = format!(
                "import zipfile
class Pipe:
    def __init__(self): self.f = open('out', 'wb')
    def write(self, b): return self.f.write(b)
    def flush(self): self.f.flush()
with zipfile.ZipFile({sink}, 'w', zipfile.{method}) as z:
    z.writestr('a/first', 'x' * 100000)
    z.writestr('a/key', 'line\\n' * 3000 + '''{}''')
    z.writestr('last', 'y')
",
                key.text()
            );
            let report = report_of(&zipped(folder.path(), &program));
            assert_eq!(paths(&report, &key), ["f!a/key"], "{method} {kind}");
            assert_eq!(report.leaks[0].places[0].place.line, Some(3002));
            complete(&report);
        }
    }
}

#[test]
fn archives_in_archives_and_documents() {
    let key = key(11);
    let folder = tempfile::tempdir().unwrap();
    let program = format!(
        "import zipfile, tarfile, gzip, io
def zipped(name, data):
    b = io.BytesIO()
    with zipfile.ZipFile(b, 'w', zipfile.ZIP_DEFLATED) as z: z.writestr(name, data)
    return b.getvalue()
def tarred(name, data):
    b = io.BytesIO()
    with tarfile.open(fileobj=b, mode='w:gz') as t:
        i = tarfile.TarInfo(name); i.size = len(data); t.addfile(i, io.BytesIO(data))
    return b.getvalue()
inner = gzip.compress('''{}'''.encode())
open('out', 'wb').write(zipped('word/a.docx', tarred('b.tgz', zipped('lib/c.jar', inner))))
",
        key.text()
    );
    let report = report_of(&zipped(folder.path(), &program));
    assert_eq!(paths(&report, &key), ["f!word/a.docx!b.tgz!lib/c.jar"]);
    complete(&report);
}

#[test]
fn names_comments_and_a_program_before_a_zip() {
    let (name, comment, archive, content) = (key(12), key(13), key(14), key(15));
    let folder = tempfile::tempdir().unwrap();
    let program = format!(
        "import zipfile
f = open('out', 'wb'); f.write(b'#!/usr/bin/env python3\\n'); f.close()
with zipfile.ZipFile('out', 'a') as z:
    i = zipfile.ZipInfo('dir/{}'); i.comment = b'{}'; i.compress_type = zipfile.ZIP_DEFLATED
    z.writestr(i, '''{}''')
    COMMENT
",
        name.id,
        comment.id,
        content.text()
    );
    let report = report_of(&zipped(folder.path(), &program.replace("COMMENT", "")));
    let path = format!("f!dir/{}", name.id);
    assert_eq!(id_places(&report, &name), [(path.clone(), Part::Name)]);
    assert_eq!(id_places(&report, &comment), [("f".to_owned(), Part::Content)]);
    assert_eq!(paths(&report, &content), [path]);
    complete(&report);

    let with_comment = program.replace("COMMENT", &format!("z.comment = b'{}'", archive.id));
    let report = report_of(&zipped(folder.path(), &with_comment.replace("f.write(b'#!/usr/bin/env python3\\n');", "")));
    assert_eq!(id_places(&report, &archive), [("f".to_owned(), Part::Content)]);
    complete(&report);
}

#[test]
fn a_member_that_the_directory_no_longer_names_is_seen() {
    let (gone, kept) = (key(16), key(17));
    let folder = tempfile::tempdir().unwrap();
    let program = format!(
        "import zipfile
with zipfile.ZipFile('out', 'w', zipfile.ZIP_DEFLATED) as z:
    z.writestr('gone', '''{}'''); z.writestr('kept', '''{}''')
    del z.filelist[0]; z.NameToInfo.pop('gone')
",
        gone.text(),
        kept.text()
    );
    let report = report_of(&zipped(folder.path(), &program));
    assert_eq!((paths(&report, &gone), paths(&report, &kept)), (vec!["f!gone".into()], vec!["f!kept".into()]));
    complete(&report);
}

#[test]
fn encrypted_members_are_told() {
    let key = key(18);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), key.text()).unwrap();
    fs::write(folder.path().join("open"), key.text()).unwrap();
    run(folder.path(), "zip", &["-q", "-P", "word", "out.zip", "secret"]);
    run(folder.path(), "zip", &["-q", "out.zip", "open"]);
    let report = report_of(&fs::read(folder.path().join("out.zip")).unwrap());
    told(&report, Why::Encrypted, "f!secret");
    assert_eq!(paths(&report, &key), ["f!open"]);
    assert_eq!(report.coverage.skipped.len(), 1);
}

#[test]
fn forms_that_are_not_unpacked_are_told() {
    for (magic, name) in [(&b"7z\xbc\xaf\x27\x1c\0\x04"[..], "7z"), (b"Rar!\x1a\x07\x01\0", "rar")] {
        let key = key(19);
        let report = report_of(&[magic, b"\n", key.text().as_bytes()].concat());
        assert!(told(&report, Why::Unsupported, "f").contains(name));
        assert_eq!(paths(&report, &key), ["f"], "what is not compressed is seen");
    }
}

#[test]
fn a_package_of_debian() {
    let key = key(20);
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("etc")).unwrap();
    fs::write(folder.path().join("etc/app.conf"), key.text()).unwrap();
    run(folder.path(), "tar", &["-cJf", "data.tar.xz", "etc"]);
    fs::write(folder.path().join("debian-binary"), "2.0").unwrap();
    run(folder.path(), "ar", &["rc", "out", "debian-binary", "data.tar.xz"]);
    let report = report_of(&fs::read(folder.path().join("out")).unwrap());
    assert_eq!(paths(&report, &key), ["f!data.tar.xz!etc/app.conf"]);
    complete(&report);
}

#[test]
fn a_place_within_git_stays_one() {
    let key = key(21);
    let bytes = packed(&key, "gzip", &["-c", FILE]);
    let scan = crate::support::scan_with(akia_scan::Limits::default());
    let git = akia_core::leak::GitPlace {
        object: Some("0".repeat(40)),
        commit: None,
        author: None,
        first_seen: None,
        last_commit: None,
        last_seen: None,
        reach: akia_core::leak::Reach::Dangling,
    };
    scan.bytes(&akia_core::leak::Place { git: Some(git.clone()), ..place() }, &bytes);
    let report = scan.ledger.into_report(Vec::new());
    paths(&report, &key);
    assert_eq!(report.leaks[0].places[0].place.git, Some(git));
}
