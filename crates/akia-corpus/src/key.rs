//! Keys of nobody.

use data_encoding::BASE32;

use crate::Dice;

/// Which sort of key an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// A long-term access key.
    Akia,
    /// Temporary credentials.
    Asia,
    /// A bearer token of STS.
    Abia,
    /// A context-specific credential.
    Acca,
}

impl Prefix {
    fn letters(self) -> &'static str {
        match self {
            Self::Akia => "AKIA",
            Self::Asia => "ASIA",
            Self::Abia => "ABIA",
            Self::Acca => "ACCA",
        }
    }
}

/// An access key of an account, neither of which exists but by chance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Key {
    /// A long-term key.
    pub fn new(dice: &mut Dice) -> Self {
        Self::with(dice, Prefix::Akia)
    }

    /// A key of this sort, of a random account.
    pub fn with(dice: &mut Dice, prefix: Prefix) -> Self {
        let account = 100_000_000_000 + dice.below(800_000_000_000) as u64;
        Self { id: id(dice, prefix, account), secret: secret(dice) }
    }

    /// A long-term key of this account.
    pub fn of_account(dice: &mut Dice, account: u64) -> Self {
        Self { id: id(dice, Prefix::Akia, account), secret: secret(dice) }
    }

    /// A key of the first years, whose id encodes no account.
    pub fn of_the_first_years(dice: &mut Dice) -> Self {
        // A digit keeps it from reading as a word.
        let id = ["AKIA", dice.one(&["I", "J"]), &dice.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 14), "7"].concat();
        Self { id, secret: secret(dice) }
    }
}

/// The sixteen characters behind the prefix are 80 bits in base32: a one, forty of the account, and others.
fn id(dice: &mut Dice, prefix: Prefix, account: u64) -> String {
    let mut bytes = dice.bytes(10);
    let rest = u64::from(bytes[5] & 0x7f);
    let head = (1 << 47 | account << 7 | rest).to_be_bytes();
    bytes[..6].copy_from_slice(&head[2..]);
    [prefix.letters(), &BASE32.encode(&bytes)].concat()
}

/// Forty characters, a slash and a plus sign among them: those are what encodings change.
fn secret(dice: &mut Dice) -> String {
    let mut secret = dice.of(ALPHABET, 40);
    let (slash, plus) = (dice.below(20), 20 + dice.below(20));
    secret.replace_range(slash..=slash, "/");
    secret.replace_range(plus..=plus, "+");
    secret
}
