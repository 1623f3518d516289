//! Policies of a user that a quarantine sets and takes back. Each change may be repeated: it sets, and does not add.

use akia_core::UserName;

use super::caller::{Caller, Pages};
use super::error::AwsError;
use super::options::Service;

impl Caller {
    /// `iam:ListAttachedUserPolicies`: the ARNs, all pages.
    ///
    /// # Errors
    /// When AWS does not tell.
    pub async fn attached_user_policies(&self, user: &UserName) -> Result<Vec<String>, AwsError> {
        let call = self.call(Service::Iam, "ListAttachedUserPolicies");
        let (mut arns, mut pages) = (Vec::new(), Pages::new(&call));
        loop {
            let request = self.iam().list_attached_user_policies().user_name(user.as_str());
            let answer = self.send(&call, request.set_marker(pages.marker()).send()).await?;
            arns.extend(answer.attached_policies().iter().filter_map(|policy| policy.policy_arn().map(str::to_owned)));
            if !pages.advance(answer.is_truncated(), answer.marker())? {
                return Ok(arns);
            }
        }
    }

    /// `iam:ListUserPolicies`: the names of the user's inline policies, all pages.
    ///
    /// # Errors
    /// When AWS does not tell.
    pub async fn user_policies(&self, user: &UserName) -> Result<Vec<String>, AwsError> {
        let call = self.call(Service::Iam, "ListUserPolicies");
        let (mut names, mut pages) = (Vec::new(), Pages::new(&call));
        loop {
            let request = self.iam().list_user_policies().user_name(user.as_str());
            let answer = self.send(&call, request.set_marker(pages.marker()).send()).await?;
            names.extend_from_slice(answer.policy_names());
            if !pages.advance(answer.is_truncated(), answer.marker())? {
                return Ok(names);
            }
        }
    }

    /// `iam:AttachUserPolicy`. Gives AWS's name for the request.
    ///
    /// # Errors
    /// When AWS refuses, or its answer is lost.
    pub async fn attach_user_policy(&self, user: &UserName, arn: &str) -> Result<Option<String>, AwsError> {
        let call = self.call(Service::Iam, "AttachUserPolicy");
        self.check_changes(&call)?;
        let request = self.iam_unrepeated().attach_user_policy().user_name(user.as_str()).policy_arn(arn);
        self.send_change(&call, || request.clone().send()).await
    }

    /// `iam:DetachUserPolicy`. Where it is not attached, there is nothing to do.
    ///
    /// # Errors
    /// When AWS refuses, or its answer is lost.
    pub async fn detach_user_policy(&self, user: &UserName, arn: &str) -> Result<Option<String>, AwsError> {
        let call = self.call(Service::Iam, "DetachUserPolicy");
        self.check_changes(&call)?;
        let request = self.iam_unrepeated().detach_user_policy().user_name(user.as_str()).policy_arn(arn);
        gone_is_done(self.send_change(&call, || request.clone().send()).await)
    }

    /// `iam:PutUserPolicy`. Gives AWS's name for the request.
    ///
    /// # Errors
    /// When AWS refuses, or its answer is lost.
    pub async fn put_user_policy(
        &self,
        user: &UserName,
        name: &str,
        document: &str,
    ) -> Result<Option<String>, AwsError> {
        let call = self.call(Service::Iam, "PutUserPolicy");
        self.check_changes(&call)?;
        let request = self.iam_unrepeated().put_user_policy();
        let request = request.user_name(user.as_str()).policy_name(name).policy_document(document);
        self.send_change(&call, || request.clone().send()).await
    }

    /// `iam:DeleteUserPolicy`. Where there is none of that name, there is nothing to do.
    ///
    /// # Errors
    /// When AWS refuses, or its answer is lost.
    pub async fn delete_user_policy(&self, user: &UserName, name: &str) -> Result<Option<String>, AwsError> {
        let call = self.call(Service::Iam, "DeleteUserPolicy");
        self.check_changes(&call)?;
        let request = self.iam_unrepeated().delete_user_policy().user_name(user.as_str()).policy_name(name);
        gone_is_done(self.send_change(&call, || request.clone().send()).await)
    }
}

/// What is not there need not be taken away.
pub(super) fn gone_is_done(answer: Result<Option<String>, AwsError>) -> Result<Option<String>, AwsError> {
    match answer {
        Err(AwsError::NoSuchEntity { .. }) => Ok(None),
        answer => answer,
    }
}
