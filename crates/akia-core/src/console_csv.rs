//! Reads the file with an access key that the IAM console offers for download, in every shape that it has had.
//!
//! | file | shape |
//! |---|---|
//! | `<user>_accessKeys.csv`, `accessKeys.csv`, today's `rootkey.csv` | `Access key ID,Secret access key` |
//! | `credentials.csv` of the first console | `"User Name","Access Key Id","Secret Access Key"`, values quoted |
//! | `credentials.csv`, `new_user_credentials.csv` | `User name,Password,Access key ID,Secret access key,Console login link`, a row per user |
//! | `rootkey.csv` until 2022 | `AWSAccessKeyId=…`, `AWSSecretKey=…`: always a root key |
//!
//! A byte order mark, CRLF, blank lines, empty trailing columns and columns unknown to akia are taken as they come. Whether the key of a
//! two-column file belongs to the root user cannot be seen in it: ask STS before it is used.
//!
//! Invariant: no error repeats a value of the file, other than the names of several users to choose from. Columns may have been
//! swapped, so that any value may be the secret. The table reader's own buffers are not wiped: the file itself lies on the disk anyway.

use std::fmt;

use crate::ids::{AccessKeyId, UserName};
use crate::secret::{SecretAccessKey, SecretError};

/// Longest file that is read. The console's own stay below one kilobyte a user.
pub const MAX_BYTES: usize = 1 << 20;

/// One key of the file.
pub struct ConsoleKey {
    /// The user, if the file says.
    pub user: Option<UserName>,
    /// The access key id.
    pub id: AccessKeyId,
    /// The secret access key.
    pub secret: SecretAccessKey,
    /// The file's shape says that the key belongs to the account's root user. `false` proves nothing.
    pub root: bool,
}

impl fmt::Debug for ConsoleKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, id, secret: _, root } = self;
        formatter
            .debug_struct("ConsoleKey")
            .field("user", user)
            .field("id", id)
            .field("root", root)
            .finish_non_exhaustive()
    }
}

/// Why a file holds no usable key. Lines count from 1, columns are named as in [`Column`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    /// No bytes, or only white space.
    #[error("the file is empty")]
    Empty,
    /// Longer than [`MAX_BYTES`].
    #[error("the file has {bytes} bytes; the console's file is far below {MAX_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Saved as UTF-16, as some spreadsheets do.
    #[error("the file is UTF-16; save it as UTF-8, or use the file as the console gave it")]
    Utf16,
    /// Not text.
    #[error("line {line} is not UTF-8")]
    NotUtf8 {
        /// The line with the first bad byte.
        line: usize,
    },
    /// A NUL byte: not a text file.
    #[error("line {line} contains a NUL byte: this is no text file")]
    Nul {
        /// The line with the first one.
        line: usize,
    },
    /// Quotation marks that do not pair up.
    #[error("a quotation mark is not closed; the last one stands on line {line}")]
    UnclosedQuote {
        /// The line of the last quotation mark.
        line: usize,
    },
    /// The first line is not the console's header.
    #[error("line {line} is not the console's header: the column {missing} is missing")]
    NoHeader {
        /// The line that should be the header.
        line: usize,
        /// The first column that is missing.
        missing: Column,
    },
    /// Separated by something else than commas.
    #[error("line {line} is separated by {separator}; the console separates by commas")]
    Separator {
        /// The line of the header.
        line: usize,
        /// What separates, in words.
        separator: &'static str,
    },
    /// The same column twice.
    #[error("line {line}, column {position}: the column {column} stands there a second time")]
    ColumnTwice {
        /// The line of the header.
        line: usize,
        /// Number of the second one, from 1.
        position: usize,
        /// Which.
        column: Column,
    },
    /// Only a header, or only users without keys.
    #[error("the file names no access key: only a header, or only users with a password")]
    NoKey,
    /// A row has more values than the header has columns.
    #[error("line {line}, column {position}: there is a value beyond the last column of the header")]
    Surplus {
        /// The line.
        line: usize,
        /// Number of the first surplus value, from 1.
        position: usize,
    },
    /// A value is missing.
    #[error("line {line}: the {column} is missing")]
    Missing {
        /// The line.
        line: usize,
        /// Which.
        column: Column,
    },
    /// The access key id is none.
    #[error("line {line}, column {position}: this is not an access key id (20 letters and digits, AKIA…)")]
    BadId {
        /// The line.
        line: usize,
        /// Number of the column, from 1.
        position: usize,
    },
    /// Temporary credentials: they expire, and lack their session token here.
    #[error("line {line}, column {position}: this is the id of temporary credentials (ASIA…), not of an access key")]
    Temporary {
        /// The line.
        line: usize,
        /// Number of the column, from 1.
        position: usize,
    },
    /// The secret is none.
    #[error("line {line}, column {position}: {reason}")]
    BadSecret {
        /// The line.
        line: usize,
        /// Number of the column, from 1.
        position: usize,
        /// What is wrong with it.
        reason: SecretError,
    },
    /// An access key id stands where the secret should.
    #[error("line {line}, column {position}: an access key id stands where the secret access key should")]
    Swapped {
        /// The line.
        line: usize,
        /// Number of the column, from 1.
        position: usize,
    },
    /// The user name is none.
    #[error("line {line}, column {position}: this is not an IAM user name (1 to 64 letters, digits and +=,.@_-)")]
    BadUser {
        /// The line.
        line: usize,
        /// Number of the column, from 1.
        position: usize,
    },
    /// The same key in two rows.
    #[error("line {line}: the same access key stands on line {first} already")]
    KeyTwice {
        /// The second row.
        line: usize,
        /// The first row.
        first: usize,
    },
    /// A line of the `NAME=value` shape that is neither of the two.
    #[error("line {line} is neither AWSAccessKeyId=… nor AWSSecretKey=…")]
    UnknownLine {
        /// The line.
        line: usize,
    },
    /// Several users, and nobody said which.
    #[error("the file holds {} keys, of {}: say which user", users.len(), users.join(", "))]
    SeveralKeys {
        /// The users in file order; `(unnamed)` where the file names none.
        users: Vec<String>,
    },
    /// The user that was asked for is not in the file.
    #[error("the file holds no key of {user}; it holds keys of {}", users.join(", "))]
    NoSuchUser {
        /// Who was asked for.
        user: UserName,
        /// The users in file order; `(unnamed)` where the file names none.
        users: Vec<String>,
    },
}

/// A column that matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The user's name.
    User,
    /// The access key id.
    Id,
    /// The secret access key.
    Secret,
}

impl fmt::Display for Column {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::User => "\"User name\"",
            Self::Id => "\"Access key ID\"",
            Self::Secret => "\"Secret access key\"",
        })
    }
}

/// Reads every key of the file, in file order. Users without a key are left out.
pub fn parse(bytes: &[u8]) -> Result<Vec<ConsoleKey>, CsvError> {
    let text = decode(bytes)?;
    let Some((first, line)) = text.lines().zip(1..).find(|(line, _)| !line.trim().is_empty()) else {
        return Err(CsvError::Empty);
    };
    if root_name(first).is_some() { parse_root(text) } else { parse_table(text, first, line) }
}

/// The one key that is meant: the only one of the file, or the only one of `user`.
pub fn choose(keys: Vec<ConsoleKey>, user: Option<&UserName>) -> Result<ConsoleKey, CsvError> {
    let users =
        keys.iter().map(|key| key.user.as_ref().map_or("(unnamed)", UserName::as_str).to_owned()).collect::<Vec<_>>();
    // A file without user names holds the key of whoever the caller says; STS tells whether that is so. IAM's names ignore case.
    let unnamed = keys.iter().all(|key| key.user.is_none());
    let is_meant = |key: &ConsoleKey| match (user, &key.user) {
        (None, _) => true,
        (Some(_), None) => unnamed,
        (Some(wanted), Some(name)) => name.as_str().eq_ignore_ascii_case(wanted.as_str()),
    };
    let mut meant = keys.into_iter().filter(is_meant);
    match (meant.next(), meant.next(), user) {
        (Some(key), None, _) => Ok(key),
        (None, _, Some(user)) => Err(CsvError::NoSuchUser { user: user.clone(), users }),
        (None, _, None) => Err(CsvError::NoKey),
        (Some(_), Some(_), _) => Err(CsvError::SeveralKeys { users }),
    }
}

fn decode(bytes: &[u8]) -> Result<&str, CsvError> {
    if bytes.len() > MAX_BYTES {
        return Err(CsvError::TooLong { bytes: bytes.len() });
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(CsvError::Utf16);
    }
    let line_of = |at: usize| 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
    let text = std::str::from_utf8(bytes).map_err(|error| CsvError::NotUtf8 { line: line_of(error.valid_up_to()) })?;
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return Err(CsvError::Nul { line: line_of(at) });
    }
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Splits `AWSAccessKeyId=…` and `AWSSecretKey=…`.
fn root_name(line: &str) -> Option<(Column, &str)> {
    let (name, value) = line.split_once('=')?;
    let column = match name.trim().to_ascii_lowercase().as_str() {
        "awsaccesskeyid" => Column::Id,
        "awssecretkey" => Column::Secret,
        _ => return None,
    };
    Some((column, value.trim()))
}

fn parse_root(text: &str) -> Result<Vec<ConsoleKey>, CsvError> {
    let (mut id, mut secret) = (None, None);
    let mut last = 1;
    for (content, line) in text.lines().zip(1..).filter(|(content, _)| !content.trim().is_empty()) {
        let (column, value) = root_name(content).ok_or(CsvError::UnknownLine { line })?;
        let slot = match column {
            Column::Id => &mut id,
            Column::Secret | Column::User => &mut secret,
        };
        if slot.replace((line, value)).is_some() {
            return Err(CsvError::ColumnTwice { line, position: 1, column });
        }
        last = line;
    }
    let (id_line, id) = id.ok_or(CsvError::Missing { line: last, column: Column::Id })?;
    let (secret_line, secret) = secret.ok_or(CsvError::Missing { line: last, column: Column::Secret })?;
    // The value stands behind the name: "column 2".
    let id = read_id(id, id_line, 2)?;
    let secret = read_secret(secret, secret_line, 2)?;
    Ok(vec![ConsoleKey { user: None, id, secret, root: true }])
}

/// Where the columns stand in a row.
struct Header {
    width: usize,
    user: Option<usize>,
    id: usize,
    secret: usize,
}

fn parse_table(text: &str, first: &str, first_line: usize) -> Result<Vec<ConsoleKey>, CsvError> {
    // The csv crate takes everything behind an unclosed quotation mark for one value; say so instead.
    if text.matches('"').count() % 2 == 1 {
        let line = text.lines().zip(1..).filter(|(line, _)| line.contains('"')).map(|(_, line)| line).last();
        return Err(CsvError::UnclosedQuote { line: line.unwrap_or(first_line) });
    }
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let mut header = None;
    let mut keys: Vec<ConsoleKey> = Vec::new();
    let mut lines: Vec<usize> = Vec::new();
    for record in reader.records() {
        // The reader works on a string in memory: it can neither fail to read nor meet bad UTF-8.
        let record = record.map_err(|_| CsvError::NotUtf8 { line: first_line })?;
        let line = record.position().map_or(first_line, |position| starting_line(text, position));
        if record.iter().all(str::is_empty) {
            continue;
        }
        let Some(header) = &header else {
            header = Some(read_header(&record, first, line)?);
            continue;
        };
        if let Some(key) = read_row(&record, header, line)? {
            if let Some(at) = keys.iter().position(|earlier| earlier.id == key.id) {
                return Err(CsvError::KeyTwice { line, first: lines[at] });
            }
            keys.push(key);
            lines.push(line);
        }
    }
    if keys.is_empty() { Err(CsvError::NoKey) } else { Ok(keys) }
}

/// The reader counts a record from the end of the one before; blank lines between belong to neither.
fn starting_line(text: &str, position: &csv::Position) -> usize {
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX).min(text.len());
    let blank = text[start..].len() - text[start..].trim_start_matches(['\r', '\n']).len();
    1 + text[..start + blank].matches('\n').count()
}

fn read_header(record: &csv::StringRecord, first: &str, line: usize) -> Result<Header, CsvError> {
    let (mut user, mut id, mut secret) = (None, None, None);
    for (index, name) in record.iter().enumerate() {
        let plain: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        let (slot, column) = match plain.as_str() {
            "username" => (&mut user, Column::User),
            "accesskeyid" => (&mut id, Column::Id),
            "secretaccesskey" => (&mut secret, Column::Secret),
            // Password, login link, and whatever the console adds next.
            _ => continue,
        };
        if slot.replace(index).is_some() {
            return Err(CsvError::ColumnTwice { line, position: index + 1, column });
        }
    }
    match (id, secret) {
        (Some(id), Some(secret)) => Ok(Header { width: record.len(), user, id, secret }),
        (id, _) => {
            let separator = [(';', "semicolons"), ('\t', "tabs")].into_iter().find(|(c, _)| first.contains(*c));
            if let Some((_, separator)) = separator
                && !first.contains(',')
            {
                return Err(CsvError::Separator { line, separator });
            }
            Err(CsvError::NoHeader { line, missing: if id.is_none() { Column::Id } else { Column::Secret } })
        }
    }
}

/// `None` for a user without a key.
fn read_row(record: &csv::StringRecord, header: &Header, line: usize) -> Result<Option<ConsoleKey>, CsvError> {
    if let Some((index, _)) = record.iter().enumerate().skip(header.width).find(|(_, value)| !value.is_empty()) {
        return Err(CsvError::Surplus { line, position: index + 1 });
    }
    let value = |index: usize| record.get(index).unwrap_or_default();
    let (id, secret) = (value(header.id), value(header.secret));
    if id.is_empty() && secret.is_empty() && header.user.is_some_and(|index| !value(index).is_empty()) {
        return Ok(None);
    }
    if id.is_empty() {
        return Err(CsvError::Missing { line, column: Column::Id });
    }
    if secret.is_empty() {
        return Err(CsvError::Missing { line, column: Column::Secret });
    }
    let user = match header.user.map(|index| (index, value(index))) {
        None => None,
        Some((_, "")) => return Err(CsvError::Missing { line, column: Column::User }),
        Some((index, name)) => Some(name.parse().map_err(|_| CsvError::BadUser { line, position: index + 1 })?),
    };
    let id = read_id(id, line, header.id + 1)?;
    let secret = read_secret(secret, line, header.secret + 1)?;
    Ok(Some(ConsoleKey { user, id, secret, root: false }))
}

fn read_id(text: &str, line: usize, position: usize) -> Result<AccessKeyId, CsvError> {
    if text.is_empty() {
        return Err(CsvError::Missing { line, column: Column::Id });
    }
    // 40 letters and digits would pass for an id, and may be a secret.
    let id = text.parse::<AccessKeyId>().ok().filter(|id| id.as_str().len() < 40);
    let id = id.ok_or(CsvError::BadId { line, position })?;
    if id.is_temporary() { Err(CsvError::Temporary { line, position }) } else { Ok(id) }
}

fn read_secret(text: &str, line: usize, position: usize) -> Result<SecretAccessKey, CsvError> {
    if text.is_empty() {
        return Err(CsvError::Missing { line, column: Column::Secret });
    }
    if text.len() == 20 && (text.starts_with("AKIA") || text.starts_with("ASIA")) {
        return Err(CsvError::Swapped { line, position });
    }
    SecretAccessKey::parse(text.to_owned()).map_err(|reason| CsvError::BadSecret { line, position, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "AKIAIOSFODNN7EXAMPLE";
    const ID_2: &str = "AKIAI44QH8DHBEXAMPLE";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const SECRET_2: &str = "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY";

    /// Fills the documentation's keys in, so that the shapes below read as the files do.
    fn fill(text: &str) -> Vec<u8> {
        text.replace("ID2", ID_2)
            .replace("SECRET2", SECRET_2)
            .replace("ID1", ID)
            .replace("SECRET1", SECRET)
            .into_bytes()
    }

    fn read(text: &str) -> Vec<(Option<String>, String, bool)> {
        let keys = parse(&fill(text)).unwrap();
        let is_known = |key: &ConsoleKey| [SECRET, SECRET_2].contains(&key.secret.expose());
        assert!(keys.iter().all(is_known), "a secret was mangled");
        keys.into_iter().map(|key| (key.user.map(String::from), key.id.into(), key.root)).collect()
    }

    #[test]
    fn every_shape_that_the_console_has_written() {
        let plain = vec![(None, ID.to_owned(), false)];
        let alice = vec![(Some("alice".to_owned()), ID.to_owned(), false)];
        for (text, expected) in [
            ("Access key ID,Secret access key\nID1,SECRET1\n", &plain),
            ("Access key ID,Secret access key\r\nID1,SECRET1", &plain),
            ("\u{feff}Access key ID,Secret access key\r\nID1,SECRET1\r\n", &plain),
            ("Access key ID,Secret access key,\r\nID1,SECRET1,\r\n", &plain),
            ("\r\n\r\nAccess key ID,Secret access key\r\n\r\nID1,SECRET1\r\n\r\n", &plain),
            ("Access key ID , Secret access key\n ID1 , SECRET1 \n", &plain),
            ("Secret access key,Access key ID\nSECRET1,ID1\n", &plain),
            ("Access key ID,Secret access key\rID1,SECRET1\r", &plain),
            ("\"User Name\",\"Access Key Id\",\"Secret Access Key\"\n\"alice\",\"ID1\",\"SECRET1\"", &alice),
            ("User Name,Access Key Id,Secret Access Key\r\n\"alice\",ID1,SECRET1\r\n", &alice),
            (
                "User name,Password,Access key ID,Secret access key,Console login link\r\nalice,\"p,\"\"w\",ID1,SECRET1,https://x\r\n",
                &alice,
            ),
            (
                "User name,Password,Access key ID,Secret access key,Console login link\nalice,,ID1,SECRET1,https://x\n",
                &alice,
            ),
            ("User name,Access key ID,Secret access key,Something new\nalice,ID1,SECRET1\n", &alice),
        ] {
            assert_eq!(&read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_old_root_file_is_flagged() {
        for text in [
            "AWSAccessKeyId=ID1\nAWSSecretKey=SECRET1",
            "\u{feff}AWSAccessKeyId=ID1\r\nAWSSecretKey=SECRET1\r\n",
            "\nAWSSecretKey = SECRET1\nAWSAccessKeyId = ID1\n",
        ] {
            assert_eq!(read(text), [(None, ID.to_owned(), true)], "{text:?}");
        }
    }

    #[test]
    fn one_of_several_users_must_be_chosen() {
        let file = "User name,Password,Access key ID,Secret access key,Console login link\n\
                    alice,,ID1,SECRET1,https://x\nconsole-only,pw,,,https://x\nBob,,ID2,SECRET2,https://x\n";
        let keys = || parse(&fill(file)).unwrap();
        let user = |name: &str| name.parse::<UserName>().unwrap();
        assert_eq!(choose(keys(), Some(&user("bob"))).unwrap().id.as_str(), ID_2);
        assert_eq!(
            choose(keys(), None).unwrap_err().to_string(),
            "the file holds 2 keys, of alice, Bob: say which user"
        );
        assert_eq!(
            choose(keys(), Some(&user("carol"))).unwrap_err().to_string(),
            "the file holds no key of carol; it holds keys of alice, Bob"
        );
        let single = || parse(&fill("Access key ID,Secret access key\nID1,SECRET1\n")).unwrap();
        assert_eq!(choose(single(), None).unwrap().id.as_str(), ID);
        assert_eq!(choose(single(), Some(&user("alice"))).unwrap().id.as_str(), ID);
        assert_eq!(choose(Vec::new(), None).unwrap_err(), CsvError::NoKey);
    }

    #[test]
    fn malformed_files_are_named_by_line_and_column_and_never_by_value() {
        let head = "Access key ID,Secret access key\n";
        let users = "User name,Access key ID,Secret access key\n";
        let with = |head: &str, rest: &str| fill(&format!("{head}{rest}"));
        let long = "x".repeat(200);
        let cases: Vec<(Vec<u8>, &str)> = vec![
            (fill(""), "the file is empty"),
            (fill("\u{feff}  \r\n\n"), "the file is empty"),
            (vec![b'a'; MAX_BYTES + 1], "the file has 1048577 bytes; the console's file is far below 1048576"),
            (b"\xff\xfeA\0".to_vec(), "the file is UTF-16; save it as UTF-8, or use the file as the console gave it"),
            (b"Access key ID,Secret access key\n\xc3(".to_vec(), "line 2 is not UTF-8"),
            (
                fill("Access key ID,Secret access key\nID1,SEC\0RET1"),
                "line 2 contains a NUL byte: this is no text file",
            ),
            (with(head, "ID1,\"SECRET1\n"), "a quotation mark is not closed; the last one stands on line 2"),
            (fill("ID1,SECRET1\n"), "line 1 is not the console's header: the column \"Access key ID\" is missing"),
            (
                fill("User name,Password,Console login link\nalice,pw,https://x\n"),
                "line 1 is not the console's header: the column \"Access key ID\" is missing",
            ),
            (
                fill("\n\nAccess key ID,Secret\nID1,SECRET1\n"),
                "line 3 is not the console's header: the column \"Secret access key\" is missing",
            ),
            (
                fill("Access key ID;Secret access key\nID1;SECRET1\n"),
                "line 1 is separated by semicolons; the console separates by commas",
            ),
            (
                fill("Access key ID\tSecret access key\nID1\tSECRET1\n"),
                "line 1 is separated by tabs; the console separates by commas",
            ),
            (
                fill("Access key ID,Secret access key,Access Key Id\nID1,SECRET1,ID2\n"),
                "line 1, column 3: the column \"Access key ID\" stands there a second time",
            ),
            (with(head, ""), "the file names no access key: only a header, or only users with a password"),
            (with(users, "alice,,\n"), "the file names no access key: only a header, or only users with a password"),
            (
                with(head, "ID1,SECRET1,more\n"),
                "line 2, column 3: there is a value beyond the last column of the header",
            ),
            (with(head, "ID1\n"), "line 2: the \"Secret access key\" is missing"),
            (with(head, "\n\nID1,\n"), "line 4: the \"Secret access key\" is missing"),
            (with(head, ",SECRET1\n"), "line 2: the \"Access key ID\" is missing"),
            (with(users, ",ID1,SECRET1\n"), "line 2: the \"User name\" is missing"),
            (
                with(head, "AKIA,SECRET1\n"),
                "line 2, column 1: this is not an access key id (20 letters and digits, AKIA…)",
            ),
            (
                with(head, "SECRET1,ID1\n"),
                "line 2, column 1: this is not an access key id (20 letters and digits, AKIA…)",
            ),
            (
                with(head, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN,SECRET1\n"),
                "line 2, column 1: this is not an access key id (20 letters and digits, AKIA…)",
            ),
            (
                with(head, "ASIAIOSFODNN7EXAMPLE,SECRET1\n"),
                "line 2, column 1: this is the id of temporary credentials (ASIA…), not of an access key",
            ),
            (with(head, "ID1,ID2\n"), "line 2, column 2: an access key id stands where the secret access key should"),
            (
                with(users, "alice,ID1,wJalr XUtn\n"),
                "line 2, column 3: the secret access key contains white space or a control character at position 6",
            ),
            (
                with(head, &format!("ID1,{long}\n")),
                "line 2, column 2: the secret access key is 200 characters long; AWS issues 40",
            ),
            (
                with(users, "a b,ID1,SECRET1\n"),
                "line 2, column 1: this is not an IAM user name (1 to 64 letters, digits and +=,.@_-)",
            ),
            (
                with(users, "SECRET1,ID1,alice\n"),
                "line 2, column 1: this is not an IAM user name (1 to 64 letters, digits and +=,.@_-)",
            ),
            (
                with(users, "alice,ID1,SECRET1\n\nbob,ID1,SECRET2\n"),
                "line 4: the same access key stands on line 2 already",
            ),
            (fill("AWSAccessKeyId=ID1\n"), "line 1: the \"Secret access key\" is missing"),
            (fill("AWSAccessKeyId=ID1\n\nAWSSecretKey=\n"), "line 3: the \"Secret access key\" is missing"),
            (fill("AWSSecretKey=SECRET1\n"), "line 1: the \"Access key ID\" is missing"),
            (
                fill("AWSAccessKeyId=ID1\nAWSSecretKey=SECRET1\nregion=x\n"),
                "line 3 is neither AWSAccessKeyId=… nor AWSSecretKey=…",
            ),
            (
                fill("AWSAccessKeyId=ID1\nAWSAccessKeyId=ID2\n"),
                "line 2, column 1: the column \"Access key ID\" stands there a second time",
            ),
            (
                fill("[default]\naws_access_key_id = ID1\n"),
                "line 1 is not the console's header: the column \"Access key ID\" is missing",
            ),
        ];
        for (bytes, expected) in cases {
            let error = parse(&bytes).unwrap_err();
            assert_eq!(error.to_string(), expected, "{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(80)]));
            for secret in [SECRET, SECRET_2, &long, "wJalr", "abcdefghij"] {
                assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
            }
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let keys = parse(&fill("Access key ID,Secret access key\nID1,SECRET1\n")).unwrap();
        assert!(!format!("{keys:?}").contains(SECRET));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_repeat_what_it_read(tail in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200), cut in 0_usize..120) {
            let mut bytes = fill("User name,Password,Access key ID,Secret access key\r\nalice,,ID1,SECRET1\r\n");
            bytes.truncate(cut);
            bytes.extend(tail);
            if let Err(error) = parse(&bytes) {
                proptest::prop_assert!(!error.to_string().contains(SECRET));
            }
        }
    }
}
