//! TOML, by the parser of the toml crate.

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::{FieldError, FieldFormat, Node, Style, Text, line_of};

pub(super) fn parse(text: &str) -> Result<Node, FieldError> {
    let table = DeTable::parse(text).map_err(|error| {
        let line = line_of(text, error.span().map_or(0, |span| span.start));
        FieldError::Syntax { format: FieldFormat::Toml, line }
    })?;
    Ok(fields(text, table.into_inner()))
}

fn fields(text: &str, table: DeTable<'_>) -> Node {
    Node::Fields(table.into_iter().map(|(key, value)| (key.into_inner().into_owned(), node(text, value))).collect())
}

fn node(text: &str, value: Spanned<DeValue<'_>>) -> Node {
    let range = value.span();
    let written = text.get(range.clone()).unwrap_or_default();
    match value.into_inner() {
        DeValue::String(string) => {
            let is_literal = written.starts_with('\'') && !written.starts_with("'''");
            let style = if is_literal { Style::TomlLiteral } else { Style::Json };
            Node::Text(Text { value: Zeroizing::new(string.into_owned()), range, style })
        }
        DeValue::Array(items) => Node::Items(items.into_iter().map(|item| node(text, item)).collect()),
        DeValue::Table(table) => fields(text, table),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
            Node::Other(Zeroizing::new(written.to_owned()))
        }
    }
}
