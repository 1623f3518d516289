//! The whole answer as CSV, sent while it is read: RFC 4180, and no field that a spreadsheet takes for a formula.

use std::fmt::Write as _;

use akia_core::text::csv_field;
use jiff::Timestamp;

use crate::estate::Row;
use crate::page::parts;

pub(super) const HEADER: &str = "identity,account_id,account_name,user_name,access_key_id,status,created_at,age_days,last_used,\
                                 last_used_at,last_used_service,last_used_region,owner,severity,findings\n";

/// One key.
pub(super) fn line(row: &Row, now: i64) -> String {
    let maybe = |text: &Option<String>| text.clone().unwrap_or_default();
    let moment = |at: Option<i64>| {
        at.and_then(|at| Timestamp::from_second(at).ok()).map(|at| at.to_string()).unwrap_or_default()
    };
    let rules: Vec<&str> = row.findings.iter().map(|finding| finding.rule.as_str()).collect();
    let fields = [
        row.identity.clone(),
        row.account_id.clone(),
        maybe(&row.account_name),
        maybe(&row.user_name),
        maybe(&row.key_id),
        if row.is_active { "Active" } else { "Inactive" }.to_owned(),
        moment(row.created_at),
        row.age_days(now).map(|days| days.to_string()).unwrap_or_default(),
        row.last_used.clone(),
        moment(row.last_used_at),
        maybe(&row.last_used_service),
        maybe(&row.last_used_region),
        maybe(&row.owner),
        row.worst().map(|severity| parts::word(severity).to_lowercase()).unwrap_or_default(),
        rules.join(" "),
    ];
    let mut line = String::new();
    for (position, field) in fields.iter().enumerate() {
        let _ = write!(line, "{}{}", if position == 0 { "" } else { "," }, quoted(&csv_field(field)));
    }
    line.push('\n');
    line
}

fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_is_a_formula_or_breaks_its_line() {
        let fields = ["=1+1", " @x", "-1", "plain", "a,\"b\"", "two\nlines"].map(|field| quoted(&csv_field(field)));
        assert_eq!(fields[..5], ["'=1+1", "' @x", "'-1", "plain", "\"a,\"\"b\"\"\""]);
        assert!(!fields[5].contains('\n'), "{:?}", fields[5]);
    }
}
