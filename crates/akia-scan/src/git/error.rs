//! Why a repository could not be scanned at all.

use std::path::PathBuf;

/// Why a repository could not be scanned. What is missing within one is told in the coverage instead.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// No repository is there.
    #[error("{} is no git repository: it has no .git, and no HEAD and objects of its own", .path.display())]
    NotARepository {
        /// What was named.
        path: PathBuf,
    },
    /// A form of repository that akia does not know.
    #[error("{} names its objects by {format}, which akia does not know; it reads sha1 and sha256", .path.display())]
    UnknownFormat {
        /// The repository.
        path: PathBuf,
        /// What its settings say.
        format: String,
    },
    /// `--since` names nothing.
    #[error(
        "{revision} names no commit of this repository; name a branch, a tag or the digits of a commit, as `git rev-parse {revision}` prints them"
    )]
    UnknownRevision {
        /// What was named.
        revision: String,
    },
    /// Part of the repository cannot be read, and without it nothing else can.
    #[error("{} cannot be scanned: {reason}", .path.display())]
    Broken {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}
