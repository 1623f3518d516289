//! Where the stores of a test are: in a state folder, or on a PostgreSQL server. A test is written once, for both.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use akia_io::state::StateFolder;
use akia_io::store::Home;

use super::postgres;

/// Tells a child process of a test its home: the state folder, or the address.
const HOME: &str = "AKIA_TEST_HOME";
/// And a folder that both can write to.
const NOTES: &str = "AKIA_TEST_NOTES";

/// A new, empty home; in a child process, that of its parent.
pub(crate) struct Ground {
    pub(crate) home: Home,
    /// A folder beside it.
    pub(crate) notes: PathBuf,
    pub(crate) is_child: bool,
    kind: &'static str,
    word: String,
    _temporary: tempfile::TempDir,
}

impl Ground {
    pub(crate) fn sqlite() -> Self {
        Self::new("sqlite", |folder| folder.join("state").to_str().unwrap().to_owned())
    }

    pub(crate) fn postgresql() -> Self {
        Self::new("postgresql", |_| postgres::server().database())
    }

    fn new(kind: &'static str, make: impl FnOnce(&Path) -> String) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let parent = std::env::var(HOME).ok();
        let is_child = parent.is_some();
        let word = parent.unwrap_or_else(|| make(temporary.path()));
        let notes = std::env::var_os(NOTES).map_or_else(|| temporary.path().to_owned(), PathBuf::from);
        Self { home: home_of(&word), notes, is_child, kind, word, _temporary: temporary }
    }

    /// Another one of the same kind.
    pub(crate) fn another(&self) -> Self {
        if self.is_on_server() { Self::postgresql() } else { Self::sqlite() }
    }

    /// Runs a test of [`on_both`] in a process of its own, with the same home.
    pub(crate) fn child(&self, test: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &format!("{test}::{}", self.kind)]);
        command.env(HOME, &self.word).env(NOTES, &self.notes).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    pub(crate) fn is_on_server(&self) -> bool {
        matches!(self.home, Home::Server(_))
    }

    /// The address of the database on the server.
    pub(crate) fn address(&self) -> &str {
        &self.word
    }
}

fn home_of(word: &str) -> Home {
    if word.starts_with("postgres:") {
        Home::Server(word.parse().unwrap())
    } else {
        Home::Folder(StateFolder::open(Path::new(word)).unwrap())
    }
}

/// Makes two tests of each function, which takes a [`Ground`]: `NAME::sqlite` and `NAME::postgresql`.
macro_rules! on_both {
    ($($(#[doc = $doc:literal])* async fn $name:ident($ground:ident: Ground) $body:block)+) => {$(
        mod $name {
            use super::*;

            $(#[doc = $doc])*
            async fn body($ground: Ground) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                body(Ground::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgresql() {
                body(Ground::postgresql()).await;
            }
        }
    )+};
}
pub(crate) use on_both;
