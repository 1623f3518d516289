//! AWS Config: recorders, the rule and its verdicts, in one account or an organisation. Signed by hand: the Config SDK would cost 43 s
//! of a processor.
//!
//! Source: <https://docs.aws.amazon.com/config/latest/APIReference/Welcome.html>. Its changes may be repeated: each says how a thing
//! shall be, or that it shall not be.

use std::collections::BTreeMap;

use akia_core::config_rule::{
    ConfigSays, ConfigVerdict, MARK, OrganizationRuleFound, Recorder, Recording, RuleFound, Wanted,
};
use akia_core::ids::Region;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::caller::{Caller, Pages};
use super::error::AwsError;
use super::options::Service;
use super::signed::JsonApi;

/// Most pages of verdicts, of a hundred each.
const MOST_PAGES: usize = 1_000;

/// What Config says of the evaluations of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evaluated {
    /// The last that succeeded.
    pub succeeded_at: Option<Timestamp>,
    /// Why the last one failed, where it did.
    pub error: Option<String>,
}

/// The rule of an organisation in one of its accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRule {
    /// The account.
    pub account: String,
    /// What became of it: `CREATE_SUCCESSFUL` …
    pub status: String,
    /// Why not, where it failed.
    pub error: Option<String>,
}

impl Caller {
    /// What Config records in a region.
    pub async fn config_recording(&self, region: &Region) -> Result<Recording, AwsError> {
        #[derive(Deserialize)]
        struct Recorders {
            #[serde(default, rename = "ConfigurationRecorders")]
            recorders: Vec<Recorder>,
        }
        #[derive(Deserialize)]
        struct Statuses {
            #[serde(default, rename = "ConfigurationRecordersStatus")]
            statuses: Vec<Status>,
        }
        #[derive(Deserialize)]
        struct Status {
            #[serde(default)]
            name: String,
            #[serde(default)]
            recording: bool,
        }
        let recorders: Recorders = self.config(region, "DescribeConfigurationRecorders", &json!({})).await?;
        if recorders.recorders.is_empty() {
            return Ok(Recording::NoRecorder);
        }
        let statuses: Statuses = self.config(region, "DescribeConfigurationRecorderStatus", &json!({})).await?;
        let running: Vec<String> =
            statuses.statuses.into_iter().filter(|status| status.recording).map(|status| status.name).collect();
        Ok(Recording::of(&recorders.recorders, &running))
    }

    /// The rule of a name, with its tags.
    pub async fn config_rule(&self, region: &Region, name: &str) -> Result<Option<RuleFound>, AwsError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default, rename = "ConfigRules")]
            rules: Vec<Rule>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Rule {
            config_rule_arn: Option<String>,
            source: Option<Source>,
            input_parameters: Option<String>,
            config_rule_state: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Source {
            source_identifier: Option<String>,
        }
        let asked = self.config(region, "DescribeConfigRules", &json!({ "ConfigRuleNames": [name] })).await;
        let Some(answer): Option<Answer> = unless(asked, "NoSuchConfigRuleException")? else { return Ok(None) };
        let Some(rule) = answer.rules.into_iter().next() else { return Ok(None) };
        let arn = rule.config_rule_arn.unwrap_or_default();
        let tags = self.config_tags(region, &arn).await?;
        Ok(Some(RuleFound {
            arn,
            identifier: rule.source.and_then(|source| source.source_identifier),
            parameters: rule.input_parameters,
            state: rule.config_rule_state,
            tags,
        }))
    }

    async fn config_tags(&self, region: &Region, arn: &str) -> Result<BTreeMap<String, String>, AwsError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default, rename = "Tags")]
            tags: Vec<Tag>,
        }
        let answer: Answer = self.config(region, "ListTagsForResource", &json!({ "ResourceArn": arn })).await?;
        Ok(answer.tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
    }

    /// Makes the rule, or changes it; tags count when it is made.
    pub async fn put_config_rule(&self, region: &Region, wanted: &Wanted) -> Result<(), AwsError> {
        let body = json!({ "ConfigRule": wanted.config_rule(), "Tags": mark() });
        self.config::<Value>(region, "PutConfigRule", &body).await.map(drop)
    }

    /// Deletes the rule; one that is not there is gone.
    pub async fn delete_config_rule(&self, region: &Region, name: &str) -> Result<(), AwsError> {
        let asked = self.config::<Value>(region, "DeleteConfigRule", &json!({ "ConfigRuleName": name })).await;
        unless(asked, "NoSuchConfigRuleException").map(drop)
    }

    /// The organisation's rule of a name. Only its management account and a delegated administrator may ask.
    pub async fn organization_config_rule(
        &self,
        region: &Region,
        name: &str,
    ) -> Result<Option<OrganizationRuleFound>, AwsError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default, rename = "OrganizationConfigRules")]
            rules: Vec<Rule>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Rule {
            organization_managed_rule_metadata: Option<Metadata>,
            #[serde(default)]
            excluded_accounts: Vec<String>,
        }
        #[derive(Deserialize, Default)]
        #[serde(rename_all = "PascalCase")]
        struct Metadata {
            description: Option<String>,
            rule_identifier: Option<String>,
            input_parameters: Option<String>,
        }
        let body = json!({ "OrganizationConfigRuleNames": [name] });
        let asked = self.config(region, "DescribeOrganizationConfigRules", &body).await;
        let answer: Option<Answer> = unless(asked, "NoSuchOrganizationConfigRuleException")?;
        Ok(answer.and_then(|answer| answer.rules.into_iter().next()).map(|rule| {
            let metadata = rule.organization_managed_rule_metadata.unwrap_or_default();
            OrganizationRuleFound {
                identifier: metadata.rule_identifier,
                parameters: metadata.input_parameters,
                description: metadata.description,
                excluded: rule.excluded_accounts,
            }
        }))
    }

    /// Makes the organisation's rule, or changes it.
    pub async fn put_organization_config_rule(&self, region: &Region, wanted: &Wanted) -> Result<(), AwsError> {
        self.config::<Value>(region, "PutOrganizationConfigRule", &wanted.organization_rule()).await.map(drop)
    }

    /// Deletes the organisation's rule; one that is not there is gone.
    pub async fn delete_organization_config_rule(&self, region: &Region, name: &str) -> Result<(), AwsError> {
        let body = json!({ "OrganizationConfigRuleName": name });
        let asked = self.config::<Value>(region, "DeleteOrganizationConfigRule", &body).await;
        unless(asked, "NoSuchOrganizationConfigRuleException").map(drop)
    }

    /// What became of the organisation's rule in each account.
    pub async fn member_config_rules(&self, region: &Region, name: &str) -> Result<Vec<MemberRule>, AwsError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            #[serde(default, rename = "OrganizationConfigRuleDetailedStatus")]
            members: Vec<Member>,
            next_token: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Member {
            account_id: String,
            member_account_rule_status: String,
            error_code: Option<String>,
            error_message: Option<String>,
        }
        let call = self.call(Service::Config, "GetOrganizationConfigRuleDetailedStatus");
        let mut pages = Pages::up_to(&call, MOST_PAGES);
        let mut members = Vec::new();
        loop {
            let mut body = json!({ "OrganizationConfigRuleName": name, "Limit": 100 });
            if let Some(token) = pages.marker() {
                body["NextToken"] = json!(token);
            }
            let answer: Answer = self.config(region, "GetOrganizationConfigRuleDetailedStatus", &body).await?;
            members.extend(answer.members.into_iter().map(|member| MemberRule {
                account: super::clean(&member.account_id, None),
                status: super::clean(&member.member_account_rule_status, None),
                error:
                    member.error_code.map(|code| {
                        super::clean(&format!("{code}: {}", member.error_message.unwrap_or_default()), None)
                    }),
            }));
            if !pages.advance(answer.next_token.is_some(), answer.next_token.as_deref())? {
                return Ok(members);
            }
        }
    }

    /// The verdict of a rule on each user.
    pub async fn config_verdicts(&self, region: &Region, name: &str) -> Result<Vec<ConfigVerdict>, AwsError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            #[serde(default)]
            evaluation_results: Vec<Evaluation>,
            next_token: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Evaluation {
            evaluation_result_identifier: Identifier,
            compliance_type: String,
            config_rule_invoked_time: Option<f64>,
            result_recorded_time: Option<f64>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Identifier {
            evaluation_result_qualifier: Qualifier,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Qualifier {
            resource_type: Option<String>,
            resource_id: String,
        }
        let call = self.call(Service::Config, "GetComplianceDetailsByConfigRule");
        let mut pages = Pages::up_to(&call, MOST_PAGES);
        let mut verdicts = Vec::new();
        loop {
            let mut body = json!({ "ConfigRuleName": name, "Limit": 100 });
            if let Some(token) = pages.marker() {
                body["NextToken"] = json!(token);
            }
            let answer: Answer = self.config(region, "GetComplianceDetailsByConfigRule", &body).await?;
            for one in answer.evaluation_results {
                let qualifier = one.evaluation_result_identifier.evaluation_result_qualifier;
                if qualifier.resource_type.as_deref().is_some_and(|kind| kind != "AWS::IAM::User") {
                    continue;
                }
                let says = ConfigSays::parse(&one.compliance_type)
                    .ok_or_else(|| AwsError::malformed(&call, "ComplianceType is none that akia knows"))?;
                let at = one.config_rule_invoked_time.or(one.result_recorded_time).and_then(moment);
                verdicts.push(ConfigVerdict { user_id: super::clean(&qualifier.resource_id, None), says, at });
            }
            if !pages.advance(answer.next_token.is_some(), answer.next_token.as_deref())? {
                return Ok(verdicts);
            }
        }
    }

    /// When Config has evaluated a rule.
    pub async fn config_evaluated(&self, region: &Region, name: &str) -> Result<Evaluated, AwsError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default, rename = "ConfigRulesEvaluationStatus")]
            statuses: Vec<Status>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Status {
            last_successful_evaluation_time: Option<f64>,
            last_error_code: Option<String>,
            last_error_message: Option<String>,
        }
        let body = json!({ "ConfigRuleNames": [name] });
        let answer: Answer = self.config(region, "DescribeConfigRuleEvaluationStatus", &body).await?;
        Ok(answer.statuses.into_iter().next().map_or_else(Evaluated::default, |status| Evaluated {
            succeeded_at: status.last_successful_evaluation_time.and_then(moment),
            error: status
                .last_error_code
                .map(|code| super::clean(&format!("{code}: {}", status.last_error_message.unwrap_or_default()), None)),
        }))
    }

    async fn config<T: DeserializeOwned>(&self, region: &Region, operation: &str, body: &Value) -> Result<T, AwsError> {
        self.ask_json(JsonApi::Config, region, operation, body, true).await
    }
}

/// A tag as Config and EventBridge write it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
}

/// akia's mark as a list of tags.
pub(super) fn mark() -> Value {
    json!([{ "Key": MARK.0, "Value": MARK.1 }])
}

/// Nothing, where AWS says that there is no such thing.
pub(super) fn unless<T>(answer: Result<T, AwsError>, absent: &str) -> Result<Option<T>, AwsError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(AwsError::Rejected { code, .. }) if code == absent => Ok(None),
        Err(error) => Err(error),
    }
}

/// Seconds since 1970, as the JSON protocol has them.
fn moment(seconds: f64) -> Option<Timestamp> {
    #[expect(clippy::cast_possible_truncation, reason = "what is out of range is no timestamp")]
    Timestamp::from_millisecond((seconds * 1_000.0) as i64).ok()
}
