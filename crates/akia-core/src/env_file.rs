//! Env files (dotenv): lines `NAME=value`, edited byte for byte.
//!
//! Shells, dotenv libraries, systemd's `EnvironmentFile=` and Docker's `--env-file` read these files, each by rules of its own:
//! Docker takes lines as they stand, the others know quotes, a shell lets a quote begin anywhere and go on over lines.
//! Invariant: a variable is read and written only where all of them see it in that line and nowhere else, and only as a
//! word that all of them read alike. Where that is in doubt, the file is refused with the lines to look at.
//!
//! Sources: POSIX shell, 2.2 "Quoting"; systemd.exec(5), `EnvironmentFile=`; <https://docs.docker.com/reference/cli/docker/container/run/#env>;
//! the grammars of python-dotenv and of dotenv for Node.

use std::ops::Range;

use zeroize::Zeroizing;

/// Why a variable of an env file is not read or written. No error repeats a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvFileError {
    /// It begins with the mark of an editor of Windows, which shells and systemd take for a part of the first name.
    #[error("it begins with a byte order mark: save it as plain UTF-8")]
    ByteOrderMark,
    /// Not text, or text of a very old Mac.
    #[error("line {line} holds a zero byte, or a carriage return that ends no line")]
    NotLines {
        /// Counted from 1.
        line: usize,
    },
    /// The variable is set more than once; most readers take the last, some the first.
    #[error("{name} stands in lines {}: leave one of them", joined(.lines))]
    Twice {
        /// The variable.
        name: String,
        /// Counted from 1.
        lines: Vec<usize>,
    },
    /// Some readers see the line, for others it is a part of the value before it.
    #[error(
        "line {line} sets {name}, but what line {opened} begins (a quote, or a backslash at its end) may reach that far: what \
         reads the file does not agree"
    )]
    Within {
        /// The variable.
        name: String,
        /// Where it stands, counted from 1.
        line: usize,
        /// Where the other value begins.
        opened: usize,
    },
    /// A form that only some readers know.
    #[error("line {line} is not of the form {name}=value, which all that read the file understand")]
    Form {
        /// The variable.
        name: String,
        /// Counted from 1.
        line: usize,
    },
    /// Something that is no key: an expansion, an escape, a blank.
    #[error(
        "the value of {name} in line {line} is not one plain word, bare or in quotes: what reads the file does not agree on it"
    )]
    Value {
        /// The variable.
        name: String,
        /// Counted from 1.
        line: usize,
    },
    /// A line that is added at the end would fall into a value that is still open.
    #[error(
        "what line {line} begins (a quote, or a backslash at its end) is still open at the end: nothing can be added"
    )]
    Open {
        /// Counted from 1.
        line: usize,
    },
    /// A value that would have to be quoted, which no two readers do alike.
    #[error("the new value of {name} cannot stand in an env file: it is more than letters, digits and + / = _ . -")]
    Unwritable {
        /// The variable.
        name: String,
    },
}

fn joined(lines: &[usize]) -> String {
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    match lines.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => lines.concat(),
    }
}

/// Whether a text can be the name of a variable everywhere.
#[must_use]
pub fn is_variable(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The value of a variable; none where there is no such line, an empty one where nothing follows the `=`.
pub fn value<'a>(file: &'a [u8], name: &str) -> Result<Option<&'a str>, EnvFileError> {
    let lines = Lines::of(file)?;
    let Some((_, range)) = lines.find(name)? else { return Ok(None) };
    // A plain word is ASCII.
    Ok(std::str::from_utf8(&file[range]).ok())
}

/// The file with other values. Variables that are not there are added at its end. Nothing else changes.
pub fn set(file: &[u8], values: &[(&str, &str)]) -> Result<Zeroizing<Vec<u8>>, EnvFileError> {
    let lines = Lines::of(file)?;
    let mut edits: Vec<(Range<usize>, &str)> = Vec::new();
    let mut added: Vec<(&str, &str)> = Vec::new();
    for (name, value) in values {
        if !value.bytes().all(is_plain) {
            return Err(EnvFileError::Unwritable { name: (*name).to_owned() });
        }
        match lines.find(name)? {
            Some((_, range)) => edits.push((range, value)),
            None => added.push((name, value)),
        }
    }
    edits.sort_by_key(|(range, _)| range.start);
    // All at once, so that no half of the new bytes is left behind where memory moves.
    let length: usize = values.iter().map(|(name, value)| name.len() + value.len() + "\r\n\r\n=".len()).sum();
    let mut new = Zeroizing::new(Vec::with_capacity(file.len() + length));
    let mut from = 0;
    for (range, value) in edits {
        new.extend_from_slice(&file[from..range.start]);
        new.extend_from_slice(value.as_bytes());
        from = range.end;
    }
    new.extend_from_slice(&file[from..]);
    if !added.is_empty() {
        if let Some(line) = lines.open_at_end() {
            return Err(EnvFileError::Open { line });
        }
        let end: &[u8] = if file.windows(2).any(|pair| pair == b"\r\n") { b"\r\n" } else { b"\n" };
        if !file.is_empty() && !file.ends_with(b"\n") {
            new.extend_from_slice(end);
        }
        for (name, value) in added {
            for part in [name.as_bytes(), b"=", value.as_bytes(), end] {
                new.extend_from_slice(part);
            }
        }
    }
    Ok(new)
}

/// What nobody quotes, expands or escapes.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=_.-".contains(&byte)
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// A file with what each kind of reader makes of its lines.
struct Lines<'a> {
    file: &'a [u8],
    /// Where each line lies, without its end.
    lines: Vec<Range<usize>>,
    /// For each line, and for the end: the line before it that a shell is still in.
    shell: Vec<Option<usize>>,
    /// The same for a dotenv library.
    dotenv: Vec<Option<usize>>,
}

impl<'a> Lines<'a> {
    fn of(file: &'a [u8]) -> Result<Self, EnvFileError> {
        if file.starts_with(b"\xef\xbb\xbf") {
            return Err(EnvFileError::ByteOrderMark);
        }
        let mut lines = Vec::new();
        let mut start = 0;
        for line in file.split_inclusive(|byte| *byte == b'\n') {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if text.contains(&0) || text.contains(&b'\r') {
                return Err(EnvFileError::NotLines { line: lines.len() + 1 });
            }
            lines.push(start..start + text.len());
            start += line.len();
        }
        let (shell, dotenv) = (shell_view(file, lines.len()), dotenv_view(file, &lines));
        Ok(Self { file, lines, shell, dotenv })
    }

    /// The line and the bytes of the value of a variable.
    fn find(&self, name: &str) -> Result<Option<(usize, Range<usize>)>, EnvFileError> {
        let named = || name.to_owned();
        let found: Vec<(usize, Option<usize>)> =
            (0..self.lines.len()).filter_map(|line| Some((line, self.assignment(line, name)?))).collect();
        let (line, equals) = match found.as_slice() {
            [] => return Ok(None),
            [(line, equals)] => (*line, *equals),
            _ => {
                let lines = found.iter().map(|(line, _)| line + 1).collect();
                return Err(EnvFileError::Twice { name: named(), lines });
            }
        };
        if let Some(opened) = self.shell[line].or(self.dotenv[line]) {
            return Err(EnvFileError::Within { name: named(), line: line + 1, opened: opened + 1 });
        }
        let equals = equals.ok_or_else(|| EnvFileError::Form { name: named(), line: line + 1 })?;
        let value = self.word(equals + 1..self.lines[line].end);
        let range = value.ok_or_else(|| EnvFileError::Value { name: named(), line: line + 1 })?;
        Ok(Some((line, range)))
    }

    /// Whether some reader takes the line for one that sets the variable; and where its `=` is, if that is how.
    fn assignment(&self, line: usize, name: &str) -> Option<Option<usize>> {
        let text = &self.file[self.lines[line].clone()];
        let bare = text.trim_ascii_start();
        let exported = bare.strip_prefix(b"export").filter(|rest| rest.first().is_some_and(is_blank));
        let rest = exported.unwrap_or(bare).trim_ascii_start().strip_prefix(name.as_bytes())?;
        let after = rest.trim_ascii_start();
        match after.first() {
            Some(b'=') => Some(Some(self.lines[line].end - after.len())),
            // `NAME: value` is one for Node, `NAME` alone is one for Docker, and `NAME+=value` for Bash.
            Some(b':') => Some(None),
            Some(b'+') if after.starts_with(b"+=") => Some(None),
            // `export NAME` hands on what another line has set.
            None => exported.is_none().then_some(None),
            Some(_) => None,
        }
    }

    /// The plain word in what follows a `=`: bare or in quotes, a comment behind it or nothing.
    fn word(&self, range: Range<usize>) -> Option<Range<usize>> {
        let text = &self.file[range.clone()];
        let blanks = text.iter().take_while(|byte| is_blank(byte)).count();
        let (quote, start) = match text.get(blanks) {
            Some(quote @ (b'"' | b'\'')) => (Some(*quote), blanks + 1),
            // An empty value stands right behind its `=`: with a blank between, a shell would run the rest.
            None => return Some(range.start..range.start),
            Some(b'#') if blanks > 0 => return Some(range.start..range.start),
            Some(_) => (None, blanks),
        };
        let length = text[start..].iter().take_while(|byte| is_plain(**byte)).count();
        let end = start + length;
        let rest = match quote {
            Some(quote) => text[end..].strip_prefix(&[quote])?,
            None => &text[end..],
        };
        let comment = rest.trim_ascii_start();
        let is_over = comment.is_empty() || (comment.starts_with(b"#") && comment.len() < rest.len());
        is_over.then_some(range.start + start..range.start + end)
    }

    fn open_at_end(&self) -> Option<usize> {
        let end = self.lines.len();
        self.shell[end].or(self.dotenv[end]).map(|line| line + 1)
    }
}

/// What a shell makes of the lines: quotes begin anywhere, comments where a word could, and a backslash at its end joins a line
/// with the next (for systemd, too).
fn shell_view(file: &[u8], lines: usize) -> Vec<Option<usize>> {
    let mut view = Vec::with_capacity(lines + 1);
    view.push(None);
    let (mut line, mut open, mut opened): (usize, Option<u8>, usize) = (0, None, 0);
    let (mut is_comment, mut is_word, mut is_joined) = (false, false, false);
    let mut bytes = file.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (open, byte) {
            (_, b'\n') => {
                line += 1;
                view.push((open.is_some() || is_joined).then_some(opened));
                // A comment ends here all the same: only systemd goes on with it, and only by one line.
                (is_comment, is_word, is_joined) = (false, is_word && is_joined, false);
            }
            (open, b'\\') if open != Some(b'\'') => match bytes.peek() {
                None | Some(b'\n') => {
                    is_joined = true;
                    opened = if open.is_some() { opened } else { line };
                }
                Some(_) if is_comment => {}
                Some(_) => {
                    bytes.next();
                    is_word = true;
                }
            },
            (_, _) if is_comment => {}
            (Some(quote), byte) if quote == byte => open = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"' | b'`') => (open, opened, is_word) = (Some(byte), line, true),
            (None, b'#') if !is_word => is_comment = true,
            (None, _) => is_word = !matches!(byte, b' ' | b'\t' | b'\r' | b';' | b'&' | b'|' | b'(' | b')'),
        }
    }
    // Where no line end stands at the end.
    view.resize(lines + 1, (open.is_some() || is_joined).then_some(opened));
    view
}

/// What a dotenv library makes of the lines: a quote begins a value only right behind the `=`, and one that is never closed
/// begins nothing.
fn dotenv_view(file: &[u8], lines: &[Range<usize>]) -> Vec<Option<usize>> {
    let mut view = vec![None; lines.len() + 1];
    let mut line = 0;
    while let Some(range) = lines.get(line) {
        let close = dotenv_quote(file, range);
        let mut next = line + 1;
        while close.is_some_and(|close| lines.get(next).is_some_and(|range| range.start <= close)) {
            view[next] = Some(line);
            next += 1;
        }
        line = next;
    }
    view
}

/// Where the quote ends that a line begins.
fn dotenv_quote(file: &[u8], line: &Range<usize>) -> Option<usize> {
    let text = &file[line.clone()];
    let bare = text.trim_ascii_start();
    let bare = bare.strip_prefix(b"export").filter(|rest| rest.first().is_some_and(is_blank)).unwrap_or(bare);
    let start = line.end - bare.trim_ascii_start().len();
    match file[start..line.end].first()? {
        b'#' => return None,
        // python-dotenv takes names in quotes.
        b'\'' => return file[start + 1..].iter().position(|byte| *byte == b'\'').map(|at| start + 1 + at),
        _ => {}
    }
    let value = start + file[start..line.end].iter().position(|byte| matches!(byte, b'=' | b':'))? + 1;
    let value = value + file[value..line.end].iter().take_while(|byte| is_blank(byte)).count();
    let quote = file[value..line.end].first().filter(|byte| matches!(byte, b'"' | b'\'' | b'`'))?;
    closing(file, value + 1, *quote)
}

/// Where a quote ends: at the first that no backslash stands before, else at the last of all.
fn closing(file: &[u8], start: usize, quote: u8) -> Option<usize> {
    let mut last = None;
    for at in (start..file.len()).filter(|at| file[*at] == quote) {
        if at == start || file[at - 1] != b'\\' {
            return Some(at);
        }
        last = Some(at);
    }
    last
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "AWS_ACCESS_KEY_ID";

    #[test]
    fn only_the_bytes_of_a_value_change() {
        for (before, after) in [
            ("AWS_ACCESS_KEY_ID=old", "AWS_ACCESS_KEY_ID=new"),
            ("export AWS_ACCESS_KEY_ID='old'  # mine\r\nB=2\r\n", "export AWS_ACCESS_KEY_ID='new'  # mine\r\nB=2\r\n"),
            ("# c\n\n  AWS_ACCESS_KEY_ID=\"old\"", "# c\n\n  AWS_ACCESS_KEY_ID=\"new\""),
            ("AWS_ACCESS_KEY_ID = old # c\n", "AWS_ACCESS_KEY_ID = new # c\n"),
            ("AWS_ACCESS_KEY_ID=\nB=1", "AWS_ACCESS_KEY_ID=new\nB=1"),
            ("AWS_ACCESS_KEY_ID= # none\n", "AWS_ACCESS_KEY_ID=new # none\n"),
            ("AWS_ACCESS_KEY_ID=''\nexport AWS_ACCESS_KEY_ID\n", "AWS_ACCESS_KEY_ID='new'\nexport AWS_ACCESS_KEY_ID\n"),
            ("A=\"x\ny\"\n# it's mine\nAWS_ACCESS_KEY_ID=old\n", "A=\"x\ny\"\n# it's mine\nAWS_ACCESS_KEY_ID=new\n"),
            (
                "AWS_ACCESS_KEY_ID_OLD=x\n#AWS_ACCESS_KEY_ID=x",
                "AWS_ACCESS_KEY_ID_OLD=x\n#AWS_ACCESS_KEY_ID=x\nAWS_ACCESS_KEY_ID=new\n",
            ),
            ("A=1\r\n", "A=1\r\nAWS_ACCESS_KEY_ID=new\r\n"),
            ("", "AWS_ACCESS_KEY_ID=new\n"),
        ] {
            let written =
                set(before.as_bytes(), &[(NAME, "new")]).unwrap_or_else(|error| panic!("{before:?}: {error}"));
            assert_eq!(String::from_utf8_lossy(&written), after);
            assert_eq!(value(&written, NAME).unwrap(), Some("new"), "{after:?}");
        }
    }

    #[test]
    fn what_readers_do_not_agree_on_is_refused_with_its_lines() {
        let within = |line, opened| EnvFileError::Within { name: NAME.to_owned(), line, opened };
        let twice = |lines: &[usize]| EnvFileError::Twice { name: NAME.to_owned(), lines: lines.to_vec() };
        let no_word = |line| EnvFileError::Value { name: NAME.to_owned(), line };
        let form = |line| EnvFileError::Form { name: NAME.to_owned(), line };
        for (text, error) in [
            ("AWS_ACCESS_KEY_ID=a\nB=1\nexport AWS_ACCESS_KEY_ID=b\n", twice(&[1, 3])),
            ("A=\"\nAWS_ACCESS_KEY_ID=a\n\"\nAWS_ACCESS_KEY_ID=b\n", twice(&[2, 4])),
            ("A=\"\nAWS_ACCESS_KEY_ID=a\n\"\n", within(2, 1)),
            // A shell lets the apostrophe open a quote, the others do not.
            ("A=it's\nAWS_ACCESS_KEY_ID=a\nB='\n", within(2, 1)),
            ("A=`\nAWS_ACCESS_KEY_ID=a\n`\n", within(2, 1)),
            // For dotenv libraries, an escaped quote goes on in single quotes, too.
            ("A='x\\'\nAWS_ACCESS_KEY_ID=a\nB='y'\n", within(2, 1)),
            // python-dotenv takes names in quotes.
            ("\"D='x'\n'A=\"B=x\nAWS_ACCESS_KEY_ID=a\nC='\n", within(3, 2)),
            ("# c \\\nAWS_ACCESS_KEY_ID=a\n", within(2, 1)),
            ("A=1\\\nAWS_ACCESS_KEY_ID=a\n", within(2, 1)),
            ("AWS_ACCESS_KEY_ID: a\n", form(1)),
            ("AWS_ACCESS_KEY_ID\n", form(1)),
            ("AWS_ACCESS_KEY_ID+=a\n", form(1)),
            ("AWS_ACCESS_KEY_ID=$OTHER\n", no_word(1)),
            ("AWS_ACCESS_KEY_ID=a b\n", no_word(1)),
            ("AWS_ACCESS_KEY_ID=\"a\n\"\n", no_word(1)),
            ("AWS_ACCESS_KEY_ID='a'b\n", no_word(1)),
            ("AWS_ACCESS_KEY_ID=a;B=1\n", no_word(1)),
            ("AWS_ACCESS_KEY_ID=#a\n", no_word(1)),
            ("A=1\rAWS_ACCESS_KEY_ID=a\n", EnvFileError::NotLines { line: 1 }),
            ("A=\0\n", EnvFileError::NotLines { line: 1 }),
            ("\u{feff}AWS_ACCESS_KEY_ID=a\n", EnvFileError::ByteOrderMark),
        ] {
            assert_eq!(value(text.as_bytes(), NAME).map(|_| ()).unwrap_err(), error, "{text:?}");
            assert_eq!(set(text.as_bytes(), &[(NAME, "new")]).unwrap_err(), error, "{text:?}");
        }
        for text in ["A=it's\n", "A=1\\", "# c \\\n", "A='\n\n"] {
            let open = set(text.as_bytes(), &[(NAME, "new")]).unwrap_err();
            assert_eq!(open, EnvFileError::Open { line: 1 }, "{text:?}");
        }
        for bad in ["a b", "a$b", "a\nb", "a\"b", "a'b", "a#b"] {
            assert!(matches!(set(b"", &[(NAME, bad)]), Err(EnvFileError::Unwritable { .. })), "{bad}");
        }
        let words = twice(&[1, 3, 9]).to_string();
        assert_eq!(words, "AWS_ACCESS_KEY_ID stands in lines 1, 3 and 9: leave one of them");
    }

    #[test]
    fn names_are_those_that_every_reader_takes() {
        assert!(is_variable("AWS_ACCESS_KEY_ID") && is_variable("_a1"));
        for bad in ["", "1A", "A-B", "A.B", "A B", "Ä"] {
            assert!(!is_variable(bad), "{bad}");
        }
    }

    /// Pieces of env files, whole and broken.
    fn soup() -> impl Strategy<Value = String> {
        let pieces = prop_oneof![
            Just("AWS_ACCESS_KEY_ID=".to_owned()),
            Just("AWS_SECRET_ACCESS_KEY=".to_owned()),
            Just("export ".to_owned()),
            Just("\n".to_owned()),
            Just("\r\n".to_owned()),
            "[A-C]=[a-z]{0,3}\n",
            "[a-z'\"`#\\\\ =:]{1,4}",
        ];
        proptest::collection::vec(pieces, 0..14).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn an_edit_reads_back_and_touches_nothing_else(text in soup(), new in "[A-Za-z0-9+/=]{1,12}") {
            let Ok(written) = set(text.as_bytes(), &[(NAME, &new), ("AWS_SECRET_ACCESS_KEY", "secret")]) else {
                return Ok(());
            };
            prop_assert_eq!(value(&written, NAME).unwrap(), Some(new.as_str()));
            prop_assert_eq!(value(&written, "AWS_SECRET_ACCESS_KEY").unwrap(), Some("secret"));
            let old = |name| value(text.as_bytes(), name).unwrap();
            // Where both were there, the old values bring the old bytes back.
            if let (Some(id), Some(secret)) = (old(NAME), old("AWS_SECRET_ACCESS_KEY")) {
                let back = set(&written, &[(NAME, id), ("AWS_SECRET_ACCESS_KEY", secret)]).unwrap();
                prop_assert_eq!(&back[..], text.as_bytes());
            }
            let other = |file: &[u8]| String::from_utf8_lossy(file).lines().filter(|line| !line.contains("AWS_")).map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(other(&written), other(text.as_bytes()));
        }
    }
}
