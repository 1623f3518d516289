//! Each slip in `[enforce]` is refused, and names its line.

use crate::contain::Strategy;
use crate::enforce::{Day, FreezeTime, InUse, OnExposure};
use crate::settings::Settings;

const EXEMPTION: &str = "[[enforce.exemption]]\naccount = \"123456789012\"\nuser = \"ann\"\nowner = \"ann\"\nreason = \"r\"\n\
                         ticket = \"T-1\"\napprover = \"ben\"\ngranted = 2026-11-01\nexpires = 2026-12-01\n";

fn refused(text: &str) -> String {
    Settings::parse(text).unwrap_err().to_string()
}

#[test]
fn what_is_allowed_and_meant_is_read() {
    let text = format!(
        "[enforce]\non-exposure = \"quarantine\"\nin-use = \"deactivate\"\ndelete-after = \"never\"\n\
         [[enforce.freeze]]\ndays = [\"sat\", \"sun\"]\nreason = \"weekend\"\n\
         [[enforce.freeze]]\nfrom = \"2026-12-18\"\nto = 2026-12-20T18:00:00Z\nreason = \"holidays\"\n{EXEMPTION}"
    );
    let policy = Settings::parse(&text).unwrap().enforce.unwrap();
    assert_eq!((policy.on_exposure, policy.base.in_use), (OnExposure::Quarantine, InUse::Deactivate));
    assert_eq!(policy.base.waits.delete_after, None);
    assert_eq!(policy.freezes[0].time, FreezeTime::Weekly([Day(5), Day(6)].into()));
    let (from, to) = ("2026-12-18T00:00:00Z".parse().unwrap(), "2026-12-20T18:00:00Z".parse().unwrap());
    assert_eq!(policy.freezes[1].time, FreezeTime::Between { from, to });
    assert_eq!(policy.exemptions[0].expires, "2026-12-01T00:00:00Z".parse().unwrap());
    let on_exposure = |text: &str| Settings::parse(&format!("[enforce]\n{text}")).unwrap().enforce.unwrap().on_exposure;
    assert_eq!(on_exposure(""), OnExposure::Notify);
    let contain = "on-exposure = \"contain\"\n";
    assert_eq!(on_exposure(contain), OnExposure::Contain { strategy: Strategy::Deactivate });
    let tied = format!("{contain}exposure-strategy = \"quarantine\"\n");
    assert_eq!(on_exposure(&tied), OnExposure::Contain { strategy: Strategy::Quarantine });
}

#[test]
fn how_an_exposed_key_is_contained_is_said_only_where_it_is_and_never_beyond_a_return() {
    let alone = refused("[enforce]\non-exposure = \"quarantine\"\nexposure-strategy = \"deactivate\"\n");
    assert!(alone.contains("line 3") && alone.contains("on-exposure = \"contain\""), "{alone}");
    for word in ["delete", "rotate"] {
        let text = format!("[enforce]\non-exposure = \"contain\"\nexposure-strategy = \"{word}\"\n");
        assert!(refused(&text).contains("`deactivate` or `quarantine`"), "{}", refused(&text));
    }
}

#[test]
fn waits_are_in_order_and_no_use_is_overlooked() {
    for text in [
        "[enforce]\nremind-after = \"30d\"\ndeactivate-after = \"30d\"\n",
        "[[enforce.override]]\npaths = [\"/x/*\"]\nremind-after = \"9d\"\ndeactivate-after = \"8d\"\n",
    ] {
        assert!(refused(text).contains("the reminder comes no sooner than the deactivation"), "{}", refused(text));
    }
    let quiet = refused("[enforce]\nplan-age = \"24h\"\nquiet = \"23h\"\n");
    assert!(quiet.contains("line 3") && quiet.contains("would not count as in use"), "{quiet}");
}

#[test]
fn an_exemption_is_for_one_by_another_and_ends_in_time() {
    let with = |from: &str, to: &str| {
        assert!(EXEMPTION.contains(from), "{from}");
        refused(&EXEMPTION.replace(from, to))
    };
    assert!(Settings::parse(EXEMPTION).is_ok());
    assert!(with("user = \"ann\"\n", "").contains("for one user or for one key"));
    let both = with("user = \"ann\"\n", "user = \"ann\"\nkey = \"AKIAIOSFODNN7EXAMPLE\"\n");
    assert!(both.contains("for one user or for one key"), "{both}");
    assert!(with("approver = \"ben\"", "approver = \" Ann\"").contains("nobody approves their own exemption"));
    assert!(with("expires = 2026-12-01", "expires = 2026-11-01").contains("it ends before it begins"));
    assert!(with("expires = 2026-12-01", "expires = 2027-02-01").contains("longer than longest-exemption (90d)"));
    assert!(with("expires = 2026-12-01", "expires = \"soon\"").contains("it is no moment"));
    for needed in ["owner = \"ann\"\n", "reason = \"r\"\n", "ticket = \"T-1\"\n", "expires = 2026-12-01\n"] {
        assert!(with(needed, "").contains("missing field"), "{needed}");
    }
}

#[test]
fn what_would_hold_for_everybody_or_for_nothing_is_refused() {
    let everybody = refused("[[enforce.override]]\nquiet = \"30d\"\n");
    assert!(everybody.contains("holds for everybody"), "{everybody}");
    let nothing = refused("[[enforce.override]]\npaths = [\"/x/*\"]\n");
    assert!(nothing.contains("it changes nothing"), "{nothing}");
    assert!(refused("[enforce.canary]\nwait = \"3d\"\n").contains("there is nobody else"));
    let freeze = |what: &str| refused(&format!("[[enforce.freeze]]\n{what}\nreason = \"r\"\n"));
    assert!(freeze("from = 2026-12-20\nto = 2026-12-18").contains("it ends before it begins"));
    assert!(freeze("from = 2026-12-20").contains("give it from and to, or days"));
    assert!(freeze("days = [\"someday\"]").contains("days are written"));
    let all = "days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]";
    assert!(freeze(all).contains("no day is left"));
    assert!(refused("[enforce]\nrules = [\"root-has-keys\"]\n").contains("line 2"));
}
