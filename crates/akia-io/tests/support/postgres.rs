//! A throw-away PostgreSQL server for the tests of one process: a real one, with `fsync` on, reached through a socket in a folder of
//! its own. It ends, and its folder with it, when this process does, however that happens.
//!
//! `cargo xtask test` installs it (Debian's package `postgresql`); `AKIA_TEST_POSTGRES` names another folder with its programs.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Sorting as in English, which is not by bytes: what depends on the order of bytes has to say so.
const SCRIPT: &str = r#"set -eu
bin=$1
folder=$(mktemp -d /tmp/akia-postgres-XXXXXX)
trap 'rm -rf "$folder"' EXIT
"$bin/initdb" -D "$folder/data" -U akia -A trust -E UTF8 -N --no-instructions --locale=C.UTF-8 --locale-provider=icu \
    --icu-locale=en-US > "$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
"$bin/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c max_connections=200 >> "$folder/log" 2>&1 &
server=$!
trap 'kill -QUIT $server; wait $server || true; rm -rf "$folder"' EXIT
until "$bin/pg_isready" -q -h "$folder"; do
    kill -0 $server || { cat "$folder/log" >&2; exit 1; }
    sleep 0.05
done
echo "$folder"
cat > /dev/null"#;

/// The server.
pub(crate) struct Server {
    bin: PathBuf,
    folder: String,
}

/// The server of this process, started with the first call.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let bin = programs();
        let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        // initdb refuses root.
        let mut command = Command::new(if is_root { "setpriv" } else { "env" });
        if is_root {
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
        }
        command
            .args(["sh", "-c", SCRIPT, "sh"])
            .arg(&bin)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut folder = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut folder).unwrap();
        assert!(!folder.is_empty(), "PostgreSQL did not start");
        // Its input ends with this process.
        std::mem::forget(child);
        Server { bin, folder: folder.trim().to_owned() }
    })
}

fn programs() -> PathBuf {
    if let Some(folder) = std::env::var_os("AKIA_TEST_POSTGRES") {
        return folder.into();
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("initdb").exists()).max();
    newest.unwrap_or_else(|| {
        panic!("no PostgreSQL in /usr/lib/postgresql: apt-get install postgresql, or run cargo xtask test")
    })
}

impl Server {
    /// The address of a new, empty database.
    pub(crate) fn database(&self) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        self.run("createdb", &[&name]);
        format!("postgres://akia@localhost/{name}?host={}", self.folder)
    }

    /// What a person with `psql` and every right could do in the database of that address. Gives what it prints, or its errors.
    pub(crate) fn try_psql(&self, url: &str, sql: &str) -> Result<String, String> {
        let mut command = Command::new(self.bin.join("psql"));
        command.args([
            "-h",
            &self.folder,
            "-U",
            "akia",
            "-d",
            name_of(url),
            "-qAtX",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            sql,
        ]);
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// The same where it must not fail.
    #[track_caller]
    pub(crate) fn psql(&self, url: &str, sql: &str) -> String {
        self.try_psql(url, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(self.bin.join(program));
        let output = command.args(["-h", &self.folder, "-U", "akia"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The name of the database in an address.
fn name_of(url: &str) -> &str {
    let path = url.split('?').next().unwrap_or_default();
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or_default()
}
