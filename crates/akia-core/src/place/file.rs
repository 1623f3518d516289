//! Fields of a JSON, YAML or TOML file of this machine.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Described;
use super::names::KeyNames;
use super::path::AbsolutePath;
use crate::fields::{FieldFormat, Pointer, PointerError};

/// Fields of a file; its other bytes stay as they are. Id and secret change at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "FileTable", into = "FileTable")]
pub struct FilePlace {
    /// The file; symlinks are followed when it is written.
    pub path: AbsolutePath,
    /// Its form.
    pub format: FieldFormat,
    /// Where in the file the key stands, as JSON pointers.
    pub names: KeyNames,
}

/// Why a table is not of such a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilePlaceError {
    /// The name of the file does not tell its form.
    #[error("the name of {0} does not tell what it is: add format = \"json\", \"toml\" or \"yaml\"")]
    Format(AbsolutePath),
    /// A name is no pointer.
    #[error(transparent)]
    Pointer(#[from] PointerError),
}

/// A file as it is written down.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FileTable {
    /// Absolute path of the file.
    #[cfg_attr(test, schemars(with = "String"))]
    path: AbsolutePath,
    /// Its form; as its name ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    format: Option<FieldFormat>,
    /// Where the key stands: JSON pointers, /aws/access_key_id.
    names: KeyNames,
}

impl TryFrom<FileTable> for FilePlace {
    type Error = FilePlaceError;

    fn try_from(table: FileTable) -> Result<Self, FilePlaceError> {
        let FileTable { path, format, names } = table;
        for name in names.list() {
            name.parse::<Pointer>()?;
        }
        let told = || FieldFormat::of_extension(&path.extension()?);
        match format.or_else(told) {
            Some(format) => Ok(Self { path, format, names }),
            None => Err(FilePlaceError::Format(path)),
        }
    }
}

impl From<FilePlace> for FileTable {
    fn from(place: FilePlace) -> Self {
        Self { path: place.path, format: Some(place.format), names: place.names }
    }
}

impl Described for FilePlace {
    fn spot(&self) -> String {
        format!("{}#{}", self.path, self.names.words())
    }
}

impl fmt::Display for FilePlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} in {} file {}", self.names.words(), self.format, self.path)
    }
}

#[cfg(test)]
mod schema {
    use schemars::{JsonSchema, Schema, SchemaGenerator};
    use std::borrow::Cow;

    use super::{FilePlace, FileTable};

    impl JsonSchema for FilePlace {
        fn schema_name() -> Cow<'static, str> {
            "FilePlace".into()
        }
        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            FileTable::json_schema(generator)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_what_is_wrong_with_it() {
        let read = |text: &str| toml::from_str::<FilePlace>(text).map_err(|error| error.message().to_owned());
        let names = "names = { id = \"/aws/id\", secret = \"/aws/secret\" }";
        let place = read(&format!("path = \"/srv/a.YML\"\n{names}")).unwrap();
        assert_eq!(place.to_string(), "/aws/id and /aws/secret in YAML file /srv/a.YML");
        let written = serde_json::to_string(&place).unwrap();
        assert_eq!(serde_json::from_str::<FilePlace>(&written).unwrap(), place, "{written}");
        for (text, words) in [
            (format!("path = \"/srv/conf\"\n{names}"), "add format = \"json\", \"toml\" or \"yaml\""),
            (format!("path = \"a.json\"\n{names}"), "is not an absolute path"),
            ("path = \"/a.json\"".to_owned(), "missing field `names`"),
            ("path = \"/a.json\"\nnames = { id = \"/id\" }".to_owned(), "\"AWS_SECRET_ACCESS_KEY\" does not say where"),
            ("path = \"/a.json\"\nnames = { combined = \"aws.key\" }".to_owned(), "write a JSON pointer"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
