//! The last use was in a region, or of a service, that the settings do not allow.

use super::{Check, Remedy, Rule, Scene, Verdict};
use crate::estate::{Key, User};
use crate::finding::Severity;
use crate::key::LastUsed;

pub(super) const RULE: Rule = Rule {
    id: "key-odd-use",
    title: "the key was used where it should not be",
    severity: Severity::High,
    why: "A key that turns up in a region or service where you do nothing may be in other hands.",
    fix: "Find the calls in CloudTrail; deactivate the key if nobody can explain them.",
    is_on: true,
    remedy: Remedy::Deactivate,
    check: Check::Key(check),
};

/// Global services report one of these, whoever calls.
const GLOBAL: [&str; 2] = ["aws-global", "N/A"];

fn check(key: &Key, _: &User, scene: &Scene<'_>) -> Verdict {
    let (regions, services) = (&scene.limits.regions, &scene.limits.services);
    if regions.is_empty() && services.is_empty() {
        return Verdict::Fine;
    }
    match &key.last_used {
        LastUsed::Never => Verdict::Fine,
        LastUsed::Unknown { reason } => Verdict::Unknown { reason: reason.clone() },
        LastUsed::At { service, region, .. } => {
            let odd_region = !regions.is_empty() && !regions.contains(region) && !GLOBAL.contains(&region.as_str());
            let odd_service = !services.is_empty() && !services.contains(service) && service != "N/A";
            Verdict::broken_if(odd_region || odd_service, || format!("last used for {service} in {region}"))
        }
    }
}
