//! A credential for CodeCommit, Keyspaces or Bedrock is older than a key may be.

use super::{Check, Remedy, Rule, Scene, Verdict, days_words};
use crate::estate::User;
use crate::finding::Severity;
use crate::key::KeyStatus;

pub(super) const RULE: Rule = Rule {
    id: "service-credential-age",
    title: "a service-specific credential is too old",
    severity: Severity::Medium,
    why: "Passwords for CodeCommit and Keyspaces and API keys for Bedrock are long-term secrets like access keys, and seldom watched.",
    fix: "Make a new one, and delete this one: aws iam reset-service-specific-credential, delete-service-specific-credential.",
    is_on: true,
    remedy: Remedy::ByHand,
    check: Check::User(check),
};

fn check(user: &User, scene: &Scene<'_>) -> Verdict {
    Verdict::given(&user.service_credentials, |credentials| {
        let is_over = |at: &Option<jiff::Timestamp>| at.is_some_and(|at| at <= scene.now);
        let old: Vec<String> = credentials
            .iter()
            .filter(|credential| credential.status == KeyStatus::Active && !is_over(&credential.expires_at))
            .filter(|credential| scene.since(credential.created_at) > scene.limits.max_age)
            .map(|credential| {
                format!(
                    "{} for {}, made {} ago",
                    credential.id,
                    credential.service,
                    days_words(scene.since(credential.created_at))
                )
            })
            .collect();
        Verdict::broken_if(!old.is_empty(), || old.join("; "))
    })
}
