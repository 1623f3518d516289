//! Texts out of an account, on their way to whoever scans them.

use std::ops::Range;

use akia_core::ids::Region;
use akia_core::leak::Part;
use data_encoding::BASE64_MIME_PERMISSIVE;

/// A text of an account.
///
/// Variables of one function, container or project come as one text, a line `NAME=value` each, for the id of a key stands in one
/// and its secret in the next.
#[derive(Clone, PartialEq, Eq)]
pub struct Piece {
    /// The region.
    pub region: Region,
    /// The service, as IAM names it: `ec2`, `lambda` …
    pub service: &'static str,
    /// What it belongs to: an ARN, or an id where AWS gives no ARN.
    pub resource: String,
    /// Which part of that.
    pub part: Part,
    /// The text. User data is decoded from base64, and stays compressed where it is.
    pub bytes: Vec<u8>,
    names: Vec<(Range<usize>, String)>,
}

impl Piece {
    /// The name of the variable, parameter or option that stands at a byte of the text.
    #[must_use]
    pub fn name_at(&self, byte: usize) -> Option<&str> {
        let index = self.names.partition_point(|(range, _)| range.end <= byte);
        self.names.get(index).filter(|(range, _)| range.contains(&byte)).map(|(_, name)| name.as_str())
    }

    pub(super) fn text(region: &Region, service: &'static str, resource: &str, part: Part, bytes: Vec<u8>) -> Self {
        Self { region: region.clone(), service, resource: resource.to_owned(), part, bytes, names: Vec::new() }
    }

    /// User data as AWS hands it out. What is not base64 stays as it is: it is scanned all the same.
    pub(super) fn user_data(region: &Region, service: &'static str, resource: &str, base64: &str) -> Self {
        let decoded = BASE64_MIME_PERMISSIVE.decode(base64.as_bytes());
        let bytes = decoded.unwrap_or_else(|_| base64.as_bytes().to_vec());
        Self::text(region, service, resource, Part::UserData, bytes)
    }

    /// A line for each name and value.
    pub(super) fn lines<'a>(
        region: &Region,
        service: &'static str,
        resource: &str,
        part: Part,
        values: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let mut piece = Self::text(region, service, resource, part, Vec::new());
        for (name, value) in values {
            let start = piece.bytes.len();
            for text in [name, "=", value, "\n"] {
                piece.bytes.extend_from_slice(text.as_bytes());
            }
            piece.names.push((start..piece.bytes.len(), name.to_owned()));
        }
        piece
    }
}

/// Without the text, which is there because it may hold secrets.
impl std::fmt::Debug for Piece {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Piece")
            .field("region", &self.region)
            .field("service", &self.service)
            .field("resource", &self.resource)
            .field("part", &self.part)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_for_each_byte_of_its_line() {
        let region: Region = "eu-west-1".parse().unwrap();
        let values = [("ID", "AKIAIOSFODNN7EXAMPLE"), ("EMPTY", ""), ("SECRET", "two\nlines")];
        let piece = Piece::lines(&region, "lambda", "arn", Part::Variable, values);
        assert_eq!(piece.bytes, b"ID=AKIAIOSFODNN7EXAMPLE\nEMPTY=\nSECRET=two\nlines\n");
        let at = |text: &str| {
            let start = String::from_utf8(piece.bytes.clone()).unwrap().find(text).unwrap();
            piece.name_at(start)
        };
        assert_eq!(at("AKIA"), Some("ID"));
        assert_eq!(at("EMPTY"), Some("EMPTY"));
        assert_eq!(at("lines"), Some("SECRET"));
        assert_eq!(piece.name_at(piece.bytes.len()), None);
        assert!(!format!("{piece:?}").contains("AKIA"));
    }

    #[test]
    fn user_data_is_decoded_and_what_is_no_base64_is_kept() {
        let region: Region = "eu-west-1".parse().unwrap();
        let bytes = |text: &str| Piece::user_data(&region, "ec2", "i-1", text).bytes;
        assert_eq!(bytes("IyEvYmluL3No"), b"#!/bin/sh");
        assert_eq!(bytes("IyEvYm\nluL3No\n"), b"#!/bin/sh");
        assert_eq!(bytes("H4sIAAAAAAAA"), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes("#!/bin/sh"), b"#!/bin/sh");
        assert_eq!(bytes("YQ"), b"YQ", "cut");
    }
}
