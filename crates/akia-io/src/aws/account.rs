//! Reads of a whole account: the credential report, tags, groups and policies of all users, service-specific credentials.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use akia_core::estate::{Details, Grants, ServiceCredential};
use akia_core::ids::{UserArn, UserName};
use aws_sdk_iam::types::{AttachedPolicy, EntityType, PolicyDetail, ReportStateType, SummaryKeyType};
use aws_smithy_async::rt::sleep::AsyncSleep as _;
use jiff::Timestamp;

use super::caller::{Caller, Pages, key_status, parse, present, timestamp};
use super::error::AwsError;
use super::options::Service;

/// Between two looks at a report that is being made.
const REPORT_GAP: Duration = Duration::from_secs(2);
/// Looks at a report that is being made, before it is given up: five minutes. AWS takes seconds.
const REPORT_LOOKS: u32 = 150;
/// Users, groups and policies in one page; the most that AWS allows.
pub(super) const PAGE: i32 = 1_000;

/// A credential report as AWS gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawReport {
    /// The CSV.
    pub csv: Vec<u8>,
    /// When AWS made it; up to four hours ago.
    pub made_at: Timestamp,
}

/// What AWS says when it is asked to make a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportRequest {
    /// There was none, or an old one: it has begun to make one.
    Started,
    /// Somebody else has asked.
    InProgress,
    /// There is one of the last four hours, and no other will be made.
    Complete,
}

impl Caller {
    /// `iam:GenerateCredentialReport`: asks for a report without waiting for it.
    pub async fn generate_credential_report(&self) -> Result<ReportRequest, AwsError> {
        let call = self.call(Service::Iam, "GenerateCredentialReport");
        let answer = self.send(&call, self.iam().generate_credential_report().send()).await?;
        Ok(match answer.state() {
            Some(ReportStateType::Started) => ReportRequest::Started,
            Some(ReportStateType::Complete) => ReportRequest::Complete,
            // What is not known says nothing of how fresh the report will be.
            _ => ReportRequest::InProgress,
        })
    }

    /// Where IAM's answers come from: `aws`, or the address of whatever stands in its place.
    #[must_use]
    pub fn source(&self) -> String {
        self.source_of(Service::Iam)
    }

    /// The same of all services that an audit of an organisation asks. Each may have an address of its own.
    #[must_use]
    pub fn sources(&self) -> [String; 3] {
        [Service::Iam, Service::Sts, Service::Organizations].map(|service| self.source_of(service))
    }

    fn source_of(&self, service: Service) -> String {
        let endpoint = self.aws().options().endpoint(service, self.target());
        endpoint.map_or_else(|| "aws".to_owned(), |url| url.origin().ascii_serialization())
    }

    /// `iam:GetCredentialReport`: the report, made anew where there is none, waited for while AWS makes it.
    pub async fn credential_report(&self) -> Result<RawReport, AwsError> {
        let call = self.call(Service::Iam, "GetCredentialReport");
        for _ in 0..REPORT_LOOKS {
            let answer = self.send(&call, self.iam().get_credential_report().send()).await;
            let error = match answer {
                Ok(answer) => {
                    let content = present(&call, "Content", answer.content())?;
                    let made_at = timestamp(&call, present(&call, "GeneratedTime", answer.generated_time())?)?;
                    return Ok(RawReport { csv: content.as_ref().to_vec(), made_at });
                }
                Err(error) => error,
            };
            match report_state(&error) {
                // Asked for by us or somebody else, and not ready.
                Some(ReportState::InProgress) => self.aws().sleep().sleep(REPORT_GAP).await,
                // Never asked for, or four hours old.
                Some(ReportState::Missing) => {
                    if self.generate_credential_report().await? != ReportRequest::Complete {
                        self.aws().sleep().sleep(REPORT_GAP).await;
                    }
                }
                None => return Err(error),
            }
        }
        Err(AwsError::malformed(&call, "AWS has been making the report for five minutes"))
    }

    /// `iam:GetAccountAuthorizationDetails`: tags, groups and policies of all users, in one pass.
    pub async fn user_details(&self) -> Result<BTreeMap<UserName, Details>, AwsError> {
        Ok(self.users_in_detail().await?.into_iter().map(|(arn, details)| (arn.name, details)).collect())
    }

    /// The same with the ARN of each. It is of this moment, where the credential report may be hours old.
    pub async fn users_in_detail(&self) -> Result<Vec<(UserArn, Details)>, AwsError> {
        let call = self.call(Service::Iam, "GetAccountAuthorizationDetails");
        let mut pages = Pages::new(&call);
        let (mut users, mut groups, mut policies) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        loop {
            let request = self
                .iam()
                .get_account_authorization_details()
                .set_filter(Some(vec![EntityType::User, EntityType::Group, EntityType::LocalManagedPolicy]))
                .max_items(PAGE)
                .set_marker(pages.marker());
            let answer = self.send(&call, request.send()).await?;
            users.extend(answer.user_detail_list().iter().cloned());
            for group in answer.group_detail_list() {
                groups.insert(group.group_name().unwrap_or_default().to_owned(), group.clone());
            }
            for policy in answer.policies() {
                let current = policy.policy_version_list().iter().find(|version| version.is_default_version());
                if let (Some(arn), Some(document)) = (policy.arn(), current.and_then(|version| version.document())) {
                    policies.insert(arn.to_owned(), decoded(document));
                }
            }
            if !pages.advance(answer.is_truncated(), answer.marker())? {
                break;
            }
        }
        let mut details = Vec::new();
        for user in users {
            let mut grants = granted(user.user_policy_list(), user.attached_managed_policies(), &policies);
            for group in user.group_list().iter().filter_map(|name| groups.get(name)) {
                grants = grants.and(granted(group.group_policy_list(), group.attached_managed_policies(), &policies));
            }
            let arn = present(&call, "Arn", user.arn())?;
            let one = Details {
                // Only for telling users of one name apart: an id of another form (an emulator's) counts as none.
                id: user.user_id().and_then(|id| id.parse().ok()),
                tags: user.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect(),
                groups: user.group_list().iter().cloned().collect(),
                attached: arns(user.attached_managed_policies()),
                inline: user
                    .user_policy_list()
                    .iter()
                    .filter_map(|policy| policy.policy_name())
                    .map(str::to_owned)
                    .collect(),
                grants,
                exposed: BTreeMap::new(),
            };
            details.push((parse(&call, "Arn", arn)?, one));
        }
        Ok(details)
    }

    /// `iam:ListServiceSpecificCredentials` of all users.
    pub async fn service_credentials(&self) -> Result<BTreeMap<UserName, Vec<ServiceCredential>>, AwsError> {
        let call = self.call(Service::Iam, "ListServiceSpecificCredentials");
        let mut pages = Pages::new(&call);
        let mut all: BTreeMap<UserName, Vec<ServiceCredential>> = BTreeMap::new();
        loop {
            let request = self.iam().list_service_specific_credentials().all_users(true).set_marker(pages.marker());
            let answer = self.send(&call, request.send()).await?;
            for one in answer.service_specific_credentials() {
                all.entry(parse(&call, "UserName", one.user_name())?).or_default().push(ServiceCredential {
                    id: one.service_specific_credential_id().to_owned(),
                    service: one.service_name().to_owned(),
                    status: key_status(&call, Some(one.status()))?,
                    created_at: timestamp(&call, one.create_date())?,
                    expires_at: one.expiration_date().map(|date| timestamp(&call, date)).transpose()?,
                });
            }
            if !pages.advance(answer.is_truncated(), answer.marker())? {
                return Ok(all);
            }
        }
    }

    /// `iam:GetAccountSummary`: whether the root user has access keys. Whose ids they have, only the root user can list.
    pub async fn root_has_keys(&self) -> Result<bool, AwsError> {
        let call = self.call(Service::Iam, "GetAccountSummary");
        let answer = self.send(&call, self.iam().get_account_summary().send()).await?;
        let summary = present(&call, "SummaryMap", answer.summary_map())?;
        let keys = summary.get(&SummaryKeyType::AccountAccessKeysPresent);
        Ok(*present(&call, "AccountAccessKeysPresent", keys)? > 0)
    }

    /// `iam:ListAccountAliases`: the account's alias, if it has one.
    pub async fn account_alias(&self) -> Result<Option<String>, AwsError> {
        let call = self.call(Service::Iam, "ListAccountAliases");
        let answer = self.send(&call, self.iam().list_account_aliases().send()).await?;
        Ok(answer.account_aliases().first().cloned())
    }
}

/// Why there is no report to read right now.
enum ReportState {
    InProgress,
    Missing,
}

fn report_state(error: &AwsError) -> Option<ReportState> {
    let AwsError::Rejected { code, .. } = error else { return None };
    match code.as_str() {
        "ReportInProgress" => Some(ReportState::InProgress),
        "ReportNotPresent" | "ReportExpired" => Some(ReportState::Missing),
        _ => None,
    }
}

fn granted(inline: &[PolicyDetail], attached: &[AttachedPolicy], policies: &BTreeMap<String, String>) -> Grants {
    let own: Vec<String> = inline.iter().filter_map(PolicyDetail::policy_document).map(decoded).collect();
    let arns = arns(attached);
    let managed = arns.iter().filter_map(|arn| policies.get(arn));
    let mut grants = Grants::of_documents(own.iter().chain(managed).map(String::as_str));
    for arn in &arns {
        grants.note_attached(arn);
    }
    grants
}

fn arns(attached: &[AttachedPolicy]) -> BTreeSet<String> {
    attached.iter().filter_map(AttachedPolicy::policy_arn).map(str::to_owned).collect()
}

/// IAM gives policy documents URL-encoded (RFC 3986).
pub(super) fn decoded(document: &str) -> String {
    percent_encoding::percent_decode_str(document).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_may_be_asked_elsewhere() {
        use crate::aws::{Aws, AwsOptions, Credentials, EnvironmentEndpoints, Target};
        let sources = |environment_endpoints: EnvironmentEndpoints| {
            let aws = Aws::new(AwsOptions { environment_endpoints, ..AwsOptions::default() });
            let key = ["AKIA", "IOSFODNN7EXAMPLE"].concat().parse().unwrap();
            let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned();
            let secret = akia_core::secret::SecretAccessKey::parse(secret).unwrap();
            aws.caller(Credentials::for_key(key, secret), Target::default()).sources()
        };
        let url = |text: &str| Some(text.parse().unwrap());
        assert_eq!(sources(EnvironmentEndpoints::default()), ["aws", "aws", "aws"]);
        let all = url("http://127.0.0.1:1/");
        let sts = url("http://127.0.0.1:2/");
        let both = EnvironmentEndpoints { all, sts, ..EnvironmentEndpoints::default() };
        assert_eq!(sources(both), ["http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:1"]);
        let organizations = EnvironmentEndpoints { organizations: url("http://127.0.0.1:3/"), ..Default::default() };
        assert_eq!(sources(organizations), ["aws", "aws", "http://127.0.0.1:3"]);
    }
    use crate::aws::Call;

    #[test]
    fn the_three_answers_of_a_report_that_is_not_there_are_told_apart() {
        let call = Call { operation: "iam:GetCredentialReport".to_owned(), endpoint: "iam".to_owned(), key: None };
        let rejected = |code: &str| AwsError::Rejected {
            call: Box::new(call.clone()),
            status: 410,
            code: code.to_owned(),
            message: String::new(),
        };
        assert!(matches!(report_state(&rejected("ReportInProgress")), Some(ReportState::InProgress)));
        assert!(matches!(report_state(&rejected("ReportNotPresent")), Some(ReportState::Missing)));
        assert!(matches!(report_state(&rejected("ReportExpired")), Some(ReportState::Missing)));
        assert!(report_state(&rejected("Other")).is_none());
    }
}
