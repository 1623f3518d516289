//! Users of IAM: made with everything that they shall have from the first moment, tagged, bounded, and taken away.

use std::collections::BTreeMap;

use akia_core::UserName;
use aws_sdk_iam::types::Tag;

use super::caller::Caller;
use super::error::AwsError;
use super::options::Service;
use super::user_policies::gone_is_done;

impl Caller {
    /// `iam:CreateUser`, with path, tags and boundary in the one call: at no moment is there a user without them.
    ///
    /// # Errors
    /// When AWS refuses, or its answer is lost.
    pub async fn create_user(
        &self,
        user: &UserName,
        path: &str,
        tags: &BTreeMap<String, String>,
        boundary: Option<&str>,
    ) -> Result<(), AwsError> {
        let call = self.call(Service::Iam, "CreateUser");
        self.check_changes(&call)?;
        let request = self
            .iam_unrepeated()
            .create_user()
            .user_name(user.as_str())
            .path(path)
            .set_permissions_boundary(boundary.map(str::to_owned))
            .set_tags(Some(tags.iter().filter_map(tag).collect()));
        self.send_change(&call, || request.clone().send()).await.map(drop)
    }

    /// `iam:DeleteUser`. Where there is none of that name, there is nothing to do.
    ///
    /// # Errors
    /// When AWS refuses, as it does while the user has keys or groups, or its answer is lost.
    pub async fn delete_user(&self, user: &UserName) -> Result<(), AwsError> {
        let call = self.call(Service::Iam, "DeleteUser");
        self.check_changes(&call)?;
        let request = self.iam_unrepeated().delete_user().user_name(user.as_str());
        gone_is_done(self.send_change(&call, || request.clone().send()).await).map(drop)
    }

    /// `iam:TagUser`.
    ///
    /// # Errors
    /// When AWS refuses, or its answer is lost.
    pub async fn tag_user(&self, user: &UserName, tags: &BTreeMap<String, String>) -> Result<(), AwsError> {
        let call = self.call(Service::Iam, "TagUser");
        self.check_changes(&call)?;
        let request = self.iam_unrepeated().tag_user().user_name(user.as_str());
        let request = request.set_tags(Some(tags.iter().filter_map(tag).collect()));
        self.send_change(&call, || request.clone().send()).await.map(drop)
    }

    /// `iam:UntagUser`. A tag that is not there is not missed.
    ///
    /// # Errors
    /// When AWS refuses, or its answer is lost.
    pub async fn untag_user(&self, user: &UserName, names: Vec<String>) -> Result<(), AwsError> {
        let call = self.call(Service::Iam, "UntagUser");
        self.check_changes(&call)?;
        let request = self.iam_unrepeated().untag_user().user_name(user.as_str()).set_tag_keys(Some(names));
        gone_is_done(self.send_change(&call, || request.clone().send()).await).map(drop)
    }

    /// `iam:PutUserPermissionsBoundary`.
    ///
    /// # Errors
    /// When AWS refuses, or its answer is lost.
    pub async fn put_boundary(&self, user: &UserName, arn: &str) -> Result<(), AwsError> {
        let call = self.call(Service::Iam, "PutUserPermissionsBoundary");
        self.check_changes(&call)?;
        let request = self.iam_unrepeated().put_user_permissions_boundary();
        let request = request.user_name(user.as_str()).permissions_boundary(arn);
        self.send_change(&call, || request.clone().send()).await.map(drop)
    }

    /// `iam:DeleteUserPermissionsBoundary`. Where there is none, there is nothing to do.
    ///
    /// # Errors
    /// When AWS refuses, or its answer is lost.
    pub async fn delete_boundary(&self, user: &UserName) -> Result<(), AwsError> {
        let call = self.call(Service::Iam, "DeleteUserPermissionsBoundary");
        self.check_changes(&call)?;
        let request = self.iam_unrepeated().delete_user_permissions_boundary().user_name(user.as_str());
        gone_is_done(self.send_change(&call, || request.clone().send()).await).map(drop)
    }

    /// `iam:GetLoginProfile`: whether the user has a console password.
    ///
    /// # Errors
    /// When AWS does not tell.
    pub async fn has_console_password(&self, user: &UserName) -> Result<bool, AwsError> {
        let call = self.call(Service::Iam, "GetLoginProfile");
        match self.send(&call, self.iam().get_login_profile().user_name(user.as_str()).send()).await {
            Ok(_) => Ok(true),
            Err(AwsError::NoSuchEntity { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Caller {
    /// `iam:ListMFADevices`: whether the user has one.
    ///
    /// # Errors
    /// When AWS does not tell.
    pub async fn has_mfa_device(&self, user: &UserName) -> Result<bool, AwsError> {
        let call = self.call(Service::Iam, "ListMFADevices");
        let answer = self.send(&call, self.iam().list_mfa_devices().user_name(user.as_str()).send()).await?;
        Ok(!answer.mfa_devices().is_empty())
    }
}

/// Building fails only where a part is missing.
fn tag((name, value): (&String, &String)) -> Option<Tag> {
    Tag::builder().key(name).value(value).build().ok()
}
