//! A credential report, and all the rules over what it tells: any bytes.
#![no_main]

use std::collections::BTreeMap;

use akia_core::audit::Audit;
use akia_core::estate::report::CredentialReport;
use akia_core::estate::{Account, Known, Sources, assemble};
use akia_core::rule::AuditSettings;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let report = match CredentialReport::parse(bytes) {
        Ok(report) => report,
        Err(error) => return assert!(error.to_string().len() < 1_000, "an error is short"),
    };
    let at: jiff::Timestamp = "2026-03-01T12:00:00Z".parse().expect("a moment");
    let unknown = || "a saved report does not tell it".to_owned();
    let (estate, to_ask) = assemble(&Sources {
        account: Account::bare(report.account.clone()),
        report: &report,
        report_at: at,
        keys: &BTreeMap::new(),
        last_used: &BTreeMap::new(),
        details: &Known::Unknown { reason: unknown() },
        service_credentials: &Known::Unknown { reason: unknown() },
    });
    assert!(to_ask.is_empty(), "a key without an id cannot be asked about");
    assert_eq!(estate.users.len(), report.users.len(), "every user of the report is judged");
    let slots = |active: bool| report.users.iter().flat_map(|(_, row)| &row.slots).filter(move |slot| slot.active == active);
    let audit = Audit::of(vec![estate], Vec::new(), &AuditSettings::default(), at);
    assert_eq!(audit.size(), (report.users.len(), slots(true).count()), "no key is lost on the way");
    let again = serde_json::to_string(&audit).expect("an audit is written");
    assert_eq!(serde_json::from_str::<Audit>(&again).ok().as_ref(), Some(&audit), "an audit reads back");
});
