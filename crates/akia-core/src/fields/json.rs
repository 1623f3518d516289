//! JSON, with comments and trailing commas, by jsonc-parser.

use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use zeroize::Zeroizing;

use super::{FieldError, FieldFormat, Node, Style, Text, line_of};

const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

pub(super) fn parse(text: &str) -> Result<Node, FieldError> {
    let syntax = |byte| FieldError::Syntax { format: FieldFormat::Json, line: line_of(text, byte) };
    let parsed =
        parse_to_ast(text, &CollectOptions::default(), &OPTIONS).map_err(|error| syntax(error.range().start))?;
    parsed.value.map(|value| node(text, value)).ok_or_else(|| syntax(0))
}

fn node(text: &str, value: Value<'_>) -> Node {
    match value {
        Value::StringLit(string) => Node::Text(Text {
            value: Zeroizing::new(string.value.into_owned()),
            range: string.range.start..string.range.end,
            style: Style::Json,
        }),
        Value::Object(object) => {
            let fields = object.properties.into_iter();
            Node::Fields(fields.map(|field| (field.name.into_string(), node(text, field.value))).collect())
        }
        Value::Array(array) => Node::Items(array.elements.into_iter().map(|item| node(text, item)).collect()),
        other @ (Value::NumberLit(_) | Value::BooleanLit(_) | Value::NullKeyword(_)) => {
            let range = other.range();
            Node::Other(Zeroizing::new(text.get(range.start..range.end).unwrap_or_default().to_owned()))
        }
    }
}
