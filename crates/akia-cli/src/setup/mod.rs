//! The parts of `akia setup`, some of which serve `akia key create` as well: where a key comes from ([`source`]),
//! whether AWS knows it ([`proof`]), the profile that it is written to ([`spot`]), what that held before ([`replace`]),
//! what is shown ([`plan`]), and a key that is yet to be made ([`create`]).

pub mod create;
pub mod plan;
pub mod proof;
pub mod replace;
pub mod source;
pub mod spot;

/// Which command asks: its words and the schema of its report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// `akia setup`.
    Setup {
        /// Whether the key that the profile holds may be written over.
        replace: bool,
    },
    /// `akia key create`.
    KeyCreate,
}

impl Asker {
    /// The name of its report.
    #[must_use]
    pub fn schema(self) -> &'static str {
        match self {
            Self::Setup { .. } => "setup",
            Self::KeyCreate => "key-create",
        }
    }

    /// Whether a key that the profile holds may be written over.
    #[must_use]
    pub fn may_replace(self) -> bool {
        match self {
            Self::Setup { replace } => replace,
            Self::KeyCreate => false,
        }
    }
}
