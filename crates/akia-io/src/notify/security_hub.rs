//! AWS Security Hub: a finding for each key, which stays until its case is over and is archived then.
//!
//! A finding is imported into the account that calls, for AWS takes no others under its default product; the account of the key
//! stands in its resource. One that is imported again under its id replaces itself.
//!
//! Source: <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-syntax.html>.

use akia_core::ids::AccountId;
use akia_core::notice::{Message, NoticeKind, Ticket};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::aws::{Desk, fault};
use super::{Channel, DeliveryError, Kind, Receipt, at_most};

pub(super) const KIND: Kind =
    Kind { word: "security-hub", is_idempotent: true, why: "a finding replaces the one of its id" };

/// Longest title, description and recommendation, in bytes; the limits are 256, 1,024 and 512 characters.
const LONGEST_TITLE: usize = 256;
const LONGEST_DESCRIPTION: usize = 1_024;
const LONGEST_FIX: usize = 512;

pub(super) struct SecurityHub {
    pub(super) desk: Desk,
    pub(super) account: OnceCell<AccountId>,
}

impl Channel for SecurityHub {
    fn kind(&self) -> Kind {
        KIND
    }

    fn place(&self) -> String {
        format!("Security Hub in {}", self.desk.region)
    }

    fn body(&self, message: &Message) -> String {
        let account = self.account.get().map_or("ACCOUNT", AccountId::as_str);
        Value::from(self.findings(message, account, message.notice.at)).to_string()
    }

    fn deliver<'a>(&'a self, message: &'a Message, now: Timestamp) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            self.desk.check()?;
            let asked = self.account.get_or_try_init(|| async {
                self.desk.caller.caller_identity().await.map(|identity| identity.account)
            });
            let account = asked.await.map_err(|error| DeliveryError::not_delivered(error.to_string()))?;
            let findings = self.findings(message, account.as_str(), now);
            let (imported, error) = self.desk.caller.import_findings_into(&self.desk.region, &findings).await;
            if let Some(error) = error {
                return Err(fault(&error));
            }
            if let Some(refused) = imported.refused.first() {
                return Err(DeliveryError::refused(refused.reason.clone()));
            }
            let id = findings.last().and_then(|finding| finding["Id"].as_str()).map(str::to_owned);
            let what = if is_over(message.notice.kind) { "archived" } else { "opened" };
            let detail = format!("{} finding{} {what}", imported.taken, if imported.taken == 1 { "" } else { "s" });
            Ok(Receipt::new(now, detail).status(200).id(id))
        })
    }
}

impl SecurityHub {
    fn findings(&self, message: &Message, account: &str, now: Timestamp) -> Vec<Value> {
        message.tickets.iter().map(|ticket| self.finding(message, ticket, account, now)).collect()
    }

    fn finding(&self, message: &Message, ticket: &Ticket, account: &str, now: Timestamp) -> Value {
        let (item, kind, region) = (&ticket.item, message.notice.kind, &self.desk.region);
        let partition = item.user.partition;
        let mut finding = json!({
            "SchemaVersion": "2018-10-08",
            "Id": format!("akia/{}/case/{}", item.account, akia_core::digest::long(&item.case)),
            "ProductArn": format!("arn:{partition}:securityhub:{region}:{account}:product/{account}/default"),
            "GeneratorId": "akia/enforce",
            "AwsAccountId": account,
            "Types": ["Software and Configuration Checks/AWS Security Best Practices"],
            // It is the same in each import of the case, or Security Hub takes the case for a new one.
            "CreatedAt": item.created_at.to_string(),
            "UpdatedAt": now.to_string(),
            "Severity": { "Label": severity(kind) },
            "Title": at_most(&ticket.subject, LONGEST_TITLE),
            "Description": at_most(&ticket.text, LONGEST_DESCRIPTION),
            "ProductFields": { "akia/notice": message.notice.id, "akia/kind": kind, "akia/account": item.account },
            "Compliance": { "Status": if is_over(kind) { "PASSED" } else { "FAILED" } },
            "Workflow": { "Status": if is_over(kind) { "RESOLVED" } else { "NOTIFIED" } },
            "RecordState": if is_over(kind) { "ARCHIVED" } else { "ACTIVE" },
            "Resources": [{
                "Type": "AwsIamAccessKey",
                "Id": format!("AWS::IAM::AccessKey:{}", item.key),
                "Partition": partition,
                "Region": partition.iam_region(),
                "Details": { "AwsIamAccessKey": {
                    "AccessKeyId": item.key,
                    "AccountId": item.account,
                    "PrincipalName": item.user.name,
                    "PrincipalType": "IAMUser",
                    "Status": item.status.as_str(),
                    "CreatedAt": item.created_at.to_string(),
                }},
            }],
        });
        // An empty text is refused.
        if let Some(command) = &item.command {
            let command = command.iter().map(|word| akia_core::cheatsheet::quote(word)).collect::<Vec<_>>().join(" ");
            finding["Remediation"] = json!({ "Recommendation": { "Text": at_most(&command, LONGEST_FIX) } });
        }
        finding
    }
}

/// A test leaves nothing open.
fn is_over(kind: NoticeKind) -> bool {
    kind.ends_the_case() || kind == NoticeKind::Test
}

fn severity(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Exposed => "CRITICAL",
        NoticeKind::Announced | NoticeKind::Reminded | NoticeKind::Reactivated | NoticeKind::StillUsed => "MEDIUM",
        NoticeKind::Deactivated => "LOW",
        NoticeKind::Deleted | NoticeKind::Resolved | NoticeKind::Test => "INFORMATIONAL",
    }
}
