//! What a rule stands for in the frameworks that auditors ask about: control ids by version, as data.
//!
//! Sources, read in November 2026: the Security Hub user guide (IAM controls, the FSBP, CIS and PCI DSS standards) with its
//! "related requirements" for NIST and PCI, and Prowler's compliance files for the CIS versions that Security Hub does
//! not have (4.0.1, 6.0.0, 7.0.0). A control that could not be found is not here: several rules have none.

/// A framework.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Framework {
    /// CIS Amazon Web Services Foundations Benchmark.
    Cis,
    /// AWS Security Hub's control.
    SecurityHub,
    /// AWS Config's managed rule.
    Config,
    /// NIST SP 800-53.
    Nist,
    /// PCI DSS.
    Pci,
}

impl Framework {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cis => "CIS AWS Foundations",
            Self::SecurityHub => "AWS Security Hub",
            Self::Config => "AWS Config",
            Self::Nist => "NIST SP 800-53",
            Self::Pci => "PCI DSS",
        }
    }
}

/// One control of one version of a framework.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control {
    /// The framework.
    pub framework: Framework,
    /// Its version; empty where it has none.
    pub version: &'static str,
    /// The control's id.
    pub id: &'static str,
}

/// The controls of a rule.
pub(super) fn of(rule: &str) -> &'static [Control] {
    CONTROLS.iter().find(|(id, _)| *id == rule).map_or(&[], |(_, controls)| controls)
}

const fn control(framework: Framework, version: &'static str, id: &'static str) -> Control {
    Control { framework, version, id }
}

const fn cis(version: &'static str, id: &'static str) -> Control {
    control(Framework::Cis, version, id)
}

const fn hub(id: &'static str) -> Control {
    control(Framework::SecurityHub, "", id)
}

const fn config(id: &'static str) -> Control {
    control(Framework::Config, "", id)
}

const fn nist(id: &'static str) -> Control {
    control(Framework::Nist, "r5", id)
}

const fn pci(id: &'static str) -> Control {
    control(Framework::Pci, "4.0.1", id)
}

static CONTROLS: &[(&str, &[Control])] = &[
    (
        "root-key",
        &[
            cis("3.0.0", "1.4"),
            cis("4.0.1", "1.4"),
            cis("5.0.0", "1.3"),
            cis("6.0.0", "2.3"),
            cis("7.0.0", "2.4"),
            hub("IAM.4"),
            config("iam-root-access-key-check"),
            nist("AC-6(2)"),
            nist("AC-6(10)"),
        ],
    ),
    (
        "root-used",
        &[cis("3.0.0", "1.7"), cis("4.0.1", "1.7"), cis("5.0.0", "1.6"), cis("6.0.0", "2.6"), cis("7.0.0", "2.7")],
    ),
    (
        "key-age",
        &[
            cis("3.0.0", "1.14"),
            cis("4.0.1", "1.14"),
            cis("5.0.0", "1.13"),
            cis("6.0.0", "2.13"),
            cis("7.0.0", "2.12"),
            hub("IAM.3"),
            config("access-keys-rotated"),
            nist("AC-2(1)"),
            nist("AC-2(3)"),
            nist("AC-3(15)"),
            pci("8.3.9"),
            pci("8.6.3"),
        ],
    ),
    (
        "key-unused",
        &[
            cis("3.0.0", "1.12"),
            cis("4.0.1", "1.12"),
            cis("5.0.0", "1.11"),
            cis("6.0.0", "2.11"),
            cis("7.0.0", "2.11"),
            hub("IAM.22"),
            hub("IAM.8"),
            config("iam-user-unused-credentials-check"),
            nist("AC-2(3)"),
            nist("AC-6"),
            pci("8.2.6"),
        ],
    ),
    ("key-never-used", &[cis("4.0.1", "1.12"), cis("7.0.0", "2.11")]),
    ("key-made-with-user", &[cis("3.0.0", "1.11"), cis("4.0.1", "1.11"), cis("5.0.0", "1.10"), cis("6.0.0", "2.10")]),
    ("two-active-keys", &[cis("3.0.0", "1.13"), cis("4.0.1", "1.13"), cis("5.0.0", "1.12"), cis("6.0.0", "2.12")]),
    (
        "admin-key",
        &[
            cis("3.0.0", "1.16"),
            cis("4.0.1", "1.16"),
            cis("5.0.0", "1.15"),
            cis("6.0.0", "2.15"),
            cis("7.0.0", "2.14"),
            hub("IAM.1"),
            config("iam-policy-no-statements-with-admin-access"),
            nist("AC-6"),
        ],
    ),
    (
        "console-without-mfa",
        &[
            cis("3.0.0", "1.10"),
            cis("4.0.1", "1.10"),
            cis("5.0.0", "1.9"),
            cis("6.0.0", "2.9"),
            cis("7.0.0", "2.10"),
            hub("IAM.5"),
            hub("IAM.19"),
            config("mfa-enabled-for-iam-console-access"),
            nist("IA-2(1)"),
            nist("IA-2(2)"),
            pci("8.4.2"),
        ],
    ),
    ("service-user-without-group", &[config("iam-user-group-membership-check")]),
    (
        "service-user-direct-policies",
        &[
            cis("3.0.0", "1.15"),
            cis("4.0.1", "1.15"),
            cis("5.0.0", "1.14"),
            cis("6.0.0", "2.14"),
            cis("7.0.0", "2.13"),
            hub("IAM.2"),
            config("iam-user-no-policies-check"),
            nist("AC-6(3)"),
        ],
    ),
    ("service-user-untagged", &[hub("IAM.25")]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_of_a_rule() {
        for (rule, controls) in CONTROLS {
            assert!(super::super::find(rule).is_some(), "{rule}");
            assert!(!controls.is_empty(), "{rule}");
        }
    }
}
