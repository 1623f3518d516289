//! JSON, read for a few of its fields: what nobody wants is passed over by its quotes and brackets, many bytes at a time.
//!
//! The readers of sonic-rs and simd-json look at each value, wanted or not, and take most of the time that a log takes. What is passed over
//! here is not looked at but for the end of its strings and the nesting of its brackets.

mod index;

use std::borrow::Cow;

pub(crate) use index::Index;
use index::next;

/// How deep a value that is passed over may be nested; CloudTrail's are a dozen levels at most. Others who read it as it stands may
/// not count.
const DEEPEST: usize = 100;

/// Text that is no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{wrong} at byte {at}")]
pub(crate) struct Malformed {
    wrong: &'static str,
    at: usize,
}

/// Reads a text from its start to its end, value after value.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'i, 'a> {
    text: &'a str,
    index: &'i Index,
    at: usize,
}

/// An object or a list that is being read.
#[derive(Debug)]
pub(crate) struct Open {
    is_at_start: bool,
}

impl<'i, 'a> Reader<'i, 'a> {
    /// A reader at the start of a text.
    pub(crate) fn new(text: &'a str, index: &'i mut Index) -> Self {
        index.read(text);
        Self { text, index, at: 0 }
    }

    /// The next byte that is no space; none at the end.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                byte => return byte.copied(),
            }
        }
    }

    /// Goes into an object.
    pub(crate) fn object(&mut self) -> Result<Open, Malformed> {
        self.take(b'{', "no object")?;
        Ok(Open { is_at_start: true })
    }

    /// Goes into a list.
    pub(crate) fn list(&mut self) -> Result<Open, Malformed> {
        self.take(b'[', "no list")?;
        Ok(Open { is_at_start: true })
    }

    /// The name of an object's next field, as it is written; its value has to be read next. None at the end of the object.
    #[inline]
    pub(crate) fn field(&mut self, object: &mut Open) -> Result<Option<&'a str>, Malformed> {
        if !self.goes_on(object, b'}')? {
            return Ok(None);
        }
        let name = self.string()?;
        self.take(b':', "no colon")?;
        Ok(Some(name))
    }

    /// Whether a list has another value, which has to be read next.
    pub(crate) fn item(&mut self, list: &mut Open) -> Result<bool, Malformed> {
        self.goes_on(list, b']')
    }

    #[inline]
    fn goes_on(&mut self, open: &mut Open, end: u8) -> Result<bool, Malformed> {
        let is_at_start = std::mem::replace(&mut open.is_at_start, false);
        match self.peek() {
            Some(byte) if byte == end => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') if !is_at_start => {
                self.at += 1;
                Ok(true)
            }
            Some(_) if is_at_start => Ok(true),
            _ => Err(self.malformed("neither a comma nor the end")),
        }
    }

    /// Leaves the object or list that the reader is in, whatever is still to come of it. Between two of its values.
    pub(crate) fn leave(&mut self) -> Result<(), Malformed> {
        let (from, mut depth) = (self.at, 1_usize);
        while depth > 0 {
            let bracket = next(&self.index.brackets, self.at).ok_or(Malformed { wrong: "no end", at: from })?;
            depth = match self.text.as_bytes().get(bracket) {
                Some(b'{' | b'[') if depth >= DEEPEST => {
                    return Err(Malformed { wrong: "it is nested too deeply", at: bracket });
                }
                Some(b'{' | b'[') => depth + 1,
                _ => depth - 1,
            };
            self.at = bracket + 1;
        }
        Ok(())
    }

    /// Passes over a value.
    pub(crate) fn skip(&mut self) -> Result<(), Malformed> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'{' | b'[') => {
                self.at += 1;
                self.leave()
            }
            _ => self.word(),
        }
    }

    /// The text that the next value is; none where it is something else.
    pub(crate) fn text(&mut self) -> Result<Option<Cow<'a, str>>, Malformed> {
        if self.peek() != Some(b'"') {
            return self.skip().map(|()| None);
        }
        let from = self.at;
        let inner = self.string()?;
        if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
            return Ok(Some(Cow::Borrowed(inner)));
        }
        let whole = serde_json::from_str(&self.text[from..self.at]);
        whole.map(Some).map_err(|_| Malformed { wrong: "a string that cannot be read", at: from })
    }

    /// The next value as it is written; none for null.
    pub(crate) fn raw(&mut self) -> Result<Option<&'a str>, Malformed> {
        self.peek();
        let from = self.at;
        self.skip()?;
        Ok(Some(&self.text[from..self.at]).filter(|value| *value != "null"))
    }

    /// What is between the quotes of a string.
    #[inline]
    fn string(&mut self) -> Result<&'a str, Malformed> {
        self.take(b'"', "no string")?;
        let end = next(&self.index.quotes, self.at);
        let inner =
            end.and_then(|end| self.text.get(self.at..end)).ok_or_else(|| self.malformed("no end of a string"))?;
        self.at += inner.len() + 1;
        Ok(inner)
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<(), Malformed> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let is_of_word = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        match rest.iter().take_while(is_of_word).count() {
            0 => Err(self.malformed("no value")),
            length => {
                self.at += length;
                Ok(())
            }
        }
    }

    #[inline]
    fn take(&mut self, wanted: u8, wrong: &'static str) -> Result<(), Malformed> {
        if self.peek() != Some(wanted) {
            return Err(self.malformed(wrong));
        }
        self.at += 1;
        Ok(())
    }

    fn malformed(&self, wrong: &'static str) -> Malformed {
        Malformed { wrong, at: self.at }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Reads all of a value, in one of the ways there are for each kind.
    fn read(reader: &mut Reader<'_, '_>) -> Result<Value, Malformed> {
        Ok(match reader.peek() {
            Some(b'{') => {
                let (mut object, mut fields) = (reader.object()?, serde_json::Map::new());
                while let Some(name) = reader.field(&mut object)? {
                    let name = serde_json::from_str(&format!("\"{name}\"")).unwrap_or_default();
                    fields.insert(name, read(reader)?);
                }
                Value::Object(fields)
            }
            Some(b'[') => {
                let (mut list, mut items) = (reader.list()?, Vec::new());
                while reader.item(&mut list)? {
                    items.push(read(reader)?);
                }
                Value::Array(items)
            }
            Some(b'"') => Value::from(reader.text()?.unwrap().into_owned()),
            _ => reader.raw()?.map_or(Value::Null, |raw| serde_json::from_str(raw).unwrap_or_default()),
        })
    }

    fn values() -> impl Strategy<Value = Value> {
        let text = "[a-z\"\\\\{}\\[\\], :ü\n]{0,90}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 60, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((text, inner), 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_serde_writes_is_read_as_it_was(value in values(), is_pretty: bool) {
            let text = if is_pretty { format!("{value:#}") } else { value.to_string() };
            let mut index = Index::default();
            prop_assert_eq!(read(&mut Reader::new(&text, &mut index)), Ok(value));
            let mut reader = Reader::new(&text, &mut index);
            prop_assert_eq!(reader.skip(), Ok(()));
            prop_assert_eq!(reader.peek(), None, "all of it was passed over");
        }

        #[test]
        fn the_rest_of_an_object_is_left(value in values(), after in 0_usize..6) {
            let text = format!("{{\"a\": {{\"0\": {value}, \"1\": {value}, \"2\": {value}}}, \"b\": 7}}");
            let mut index = Index::default();
            let mut reader = Reader::new(&text, &mut index);
            let mut outer = reader.object().unwrap();
            prop_assert_eq!(reader.field(&mut outer), Ok(Some("a")));
            let mut inner = reader.object().unwrap();
            for _ in 0..after {
                if reader.field(&mut inner).unwrap().is_none() {
                    return Ok(());
                }
                reader.skip().unwrap();
            }
            reader.leave().unwrap();
            prop_assert_eq!(reader.field(&mut outer), Ok(Some("b")));
            prop_assert_eq!(reader.raw(), Ok(Some("7")));
            prop_assert_eq!(reader.field(&mut outer), Ok(None));
        }

        #[test]
        fn what_is_cut_off_is_not_whole(value in values(), part in 0.0..1.0) {
            let text = serde_json::json!({ "a": value }).to_string();
            let mut end = (text.len() as f64 * part) as usize;
            end -= (0..4).find(|less| text.is_char_boundary(end - less)).unwrap();
            let mut index = Index::default();
            prop_assert!(Reader::new(&text[..end], &mut index).skip().is_err());
            prop_assert!(read(&mut Reader::new(&text[..end], &mut index)).is_err());
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]{}\",:\\\\a1 -]{0,80}") {
            let mut index = Index::default();
            let by_value = read(&mut Reader::new(&text, &mut index)).is_ok();
            let by_serde = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert!(by_value || !by_serde, "what serde reads is read");
            let _ = Reader::new(&text, &mut index).skip();
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let mut index = Index::default();
        let mut wrong = |text: &str| Reader::new(text, &mut index).skip().unwrap_err().to_string();
        assert_eq!(wrong("{\"a\": [1, 2"), "no end at byte 1");
        assert_eq!(wrong("\"abc"), "no end of a string at byte 1");
        assert_eq!(wrong("  "), "no value at byte 2");
        assert_eq!(wrong(&"[".repeat(101)), "it is nested too deeply at byte 100");
    }
}
