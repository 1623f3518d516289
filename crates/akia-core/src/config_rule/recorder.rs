//! What Config records in a region: without `AWS::IAM::User` somewhere, the rule has nothing to look at.
//!
//! Source: <https://docs.aws.amazon.com/config/latest/APIReference/API_RecordingGroup.html>, and the page of the rule: if a
//! global type is recorded in one region at least, periodic rules on it evaluate in every region where they stand.

use serde::Deserialize;

const USER: &str = "AWS::IAM::User";

/// A recorder, as `DescribeConfigurationRecorders` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Recorder {
    /// Its name.
    #[serde(default)]
    pub name: String,
    #[serde(default, rename = "recordingGroup")]
    group: Group,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Group {
    all_supported: bool,
    include_global_resource_types: bool,
    resource_types: Vec<String>,
    exclusion_by_resource_types: Exclusion,
    recording_strategy: Strategy,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Exclusion {
    resource_types: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Strategy {
    use_only: Option<String>,
}

impl Recorder {
    /// Whether it records IAM users.
    #[must_use]
    pub fn records_users(&self) -> bool {
        let Group { all_supported, include_global_resource_types, resource_types, .. } = &self.group;
        match self.group.recording_strategy.use_only.as_deref() {
            Some("EXCLUSION_BY_RESOURCE_TYPES") => {
                !self.group.exclusion_by_resource_types.resource_types.iter().any(|one| one == USER)
            }
            Some(_) | None if *all_supported => *include_global_resource_types,
            Some(_) | None => resource_types.iter().any(|one| one == USER),
        }
    }
}

/// What Config records here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording {
    /// There is no recorder: Config takes no rule.
    NoRecorder,
    /// The recorder stands still.
    Stopped,
    /// It records, but no IAM users.
    WithoutUsers,
    /// It records IAM users.
    Users,
}

impl Recording {
    /// Out of the recorders and the names of those that record.
    #[must_use]
    pub fn of(recorders: &[Recorder], running: &[String]) -> Self {
        let Some(recorder) = recorders.first() else { return Self::NoRecorder };
        match (running.contains(&recorder.name), recorder.records_users()) {
            (false, _) => Self::Stopped,
            (true, false) => Self::WithoutUsers,
            (true, true) => Self::Users,
        }
    }

    /// What a person must know of it; nothing where all is well.
    #[must_use]
    pub fn warning(self) -> Option<&'static str> {
        match self {
            Self::Users => None,
            Self::NoRecorder => Some("AWS Config has no recorder in this region: it takes no rule"),
            Self::Stopped => Some("the recorder of AWS Config is stopped in this region: the rule is not evaluated"),
            Self::WithoutUsers => Some(
                "AWS Config does not record AWS::IAM::User in this region: the rule is evaluated only if another region of the \
                 account records it",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder(group: &str) -> Recorder {
        serde_json::from_str(&format!(r#"{{"name":"default","recordingGroup":{group}}}"#)).unwrap()
    }

    #[test]
    fn what_is_recorded_follows_from_the_group() {
        for (group, expected) in [
            (r#"{"allSupported":true,"includeGlobalResourceTypes":true}"#, true),
            (r#"{"allSupported":true,"includeGlobalResourceTypes":false,"resourceTypes":[]}"#, false),
            (r#"{"allSupported":false,"resourceTypes":["AWS::IAM::User"]}"#, true),
            (r#"{"allSupported":false,"resourceTypes":["AWS::EC2::Instance"]}"#, false),
            (r#"{"recordingStrategy":{"useOnly":"ALL_SUPPORTED_RESOURCE_TYPES"},"allSupported":true}"#, false),
            (
                r#"{"recordingStrategy":{"useOnly":"EXCLUSION_BY_RESOURCE_TYPES"},"exclusionByResourceTypes":{"resourceTypes":["AWS::EC2::Volume"]}}"#,
                true,
            ),
            (
                r#"{"recordingStrategy":{"useOnly":"EXCLUSION_BY_RESOURCE_TYPES"},"exclusionByResourceTypes":{"resourceTypes":["AWS::IAM::User"]}}"#,
                false,
            ),
        ] {
            assert_eq!(recorder(group).records_users(), expected, "{group}");
        }
    }

    #[test]
    fn a_recorder_must_run() {
        let users = recorder(r#"{"allSupported":true,"includeGlobalResourceTypes":true}"#);
        let running = ["default".to_owned()];
        assert_eq!(Recording::of(&[], &[]), Recording::NoRecorder);
        assert_eq!(Recording::of(std::slice::from_ref(&users), &[]), Recording::Stopped);
        assert_eq!(Recording::of(&[users], &running), Recording::Users);
        assert_eq!(Recording::of(&[recorder("{}")], &running), Recording::WithoutUsers);
    }
}
