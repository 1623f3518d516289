//! Where in a file a field stands: a JSON pointer, for YAML and TOML as well. Unlike a dotted path it can name every key.

use std::fmt;
use std::str::FromStr;

/// A JSON pointer: `/aws/access_key_id`; `~1` is a slash in a key, `~0` a tilde. RFC 6901.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    text: String,
    steps: Vec<String>,
}

/// A text that is no pointer to a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} does not say where the field is: write a JSON pointer, /aws/access_key_id for the key access_key_id in aws (~1 is a \
     slash in a key, ~0 a tilde)"
)]
pub struct PointerError(String);

impl Pointer {
    pub(super) fn steps(&self) -> &[String] {
        &self.steps
    }
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        let wrong = || PointerError(text.to_owned());
        let steps = text.strip_prefix('/').filter(|rest| !rest.is_empty()).ok_or_else(wrong)?;
        let step = |step: &str| {
            let is_escaped = step.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
            // In this order: `~01` is a tilde and a one.
            if is_escaped { Ok(step.replace("~1", "/").replace("~0", "~")) } else { Err(wrong()) }
        };
        Ok(Self { text: text.to_owned(), steps: steps.split('/').map(step).collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_can_name_every_key() {
        let steps = |text: &str| text.parse::<Pointer>().map(|pointer| pointer.steps);
        assert_eq!(steps("/a/b.c/0").unwrap(), ["a", "b.c", "0"]);
        assert_eq!(steps("/a~1b/~01").unwrap(), ["a/b", "~1"]);
        for text in ["", "/", "a/b", "a.b", "/a~2"] {
            assert_eq!(steps(text), Err(PointerError(text.to_owned())));
        }
    }
}
