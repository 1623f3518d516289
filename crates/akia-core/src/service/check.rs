//! Which of an audit's rules say something of service users. The rules themselves are in [`crate::rule`], one for all.

use crate::rule::{AuditSettings, RULES};

/// Rules about the users of services.
pub const ABOUT_SERVICES: [&str; 9] = [
    "service-user-console",
    "person-and-service-mixed",
    "service-user-without-group",
    "service-user-direct-policies",
    "service-user-untagged",
    "service-user-name",
    "user-name",
    "two-active-keys",
    "admin-key",
];

/// Rules about those of people: a machine may hide behind one, and people have MFA where services have none.
pub const ABOUT_PEOPLE: [&str; 3] = ["person-and-service-mixed", "person-key-used-by-machine", "console-without-mfa"];

/// The settings of an audit with these rules, and no others.
#[must_use]
pub fn only_of_services(mut settings: AuditSettings) -> AuditSettings {
    for rule in RULES {
        if ABOUT_SERVICES.contains(&rule.id) || ABOUT_PEOPLE.contains(&rule.id) {
            settings.turn_on(rule);
        } else {
            settings.turn_off(rule);
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Override, RuleLevel};

    #[test]
    fn every_rule_of_the_lists_is_one_and_only_these_are_asked() {
        for id in ABOUT_SERVICES.iter().chain(&ABOUT_PEOPLE) {
            assert!(crate::rule::find(id).is_some(), "{id}");
        }
        let mut settings = AuditSettings::default();
        settings.base.rules.insert("two-active-keys".to_owned(), RuleLevel::Off);
        settings
            .overrides
            .push(Override { rules: [("service-user-name".to_owned(), RuleLevel::Off)].into(), ..Override::default() });
        let settings = only_of_services(settings);
        let on: Vec<&str> = RULES
            .iter()
            .filter(|rule| settings.base.level(rule) != RuleLevel::Off && settings.overrides[0].rules.is_empty())
            .map(|rule| rule.id)
            .collect();
        assert_eq!(on.len(), 11, "{on:?}");
    }
}
