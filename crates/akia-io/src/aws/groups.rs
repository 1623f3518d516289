//! Groups of IAM: made, filled, given an inline policy, and taken away.
//!
//! A change is sent again only where AWS has said that it did nothing. `CreateGroup` that was sent twice would be answered with
//! `EntityAlreadyExists` by the group of the first.

use std::collections::BTreeSet;

use akia_core::UserName;

use super::account::decoded;
use super::caller::{Caller, Pages, parse, present};
use super::error::AwsError;
use super::options::Service;
use super::user_policies::gone_is_done;

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its path.
    pub path: String,
    /// Who is in it.
    pub members: BTreeSet<UserName>,
}

impl Caller {
    /// `iam:GetGroup`: the group with its members, all pages; none where there is no such group.
    ///
    /// # Errors
    /// When AWS does not tell.
    pub async fn group(&self, name: &str) -> Result<Option<Group>, AwsError> {
        let call = self.call(Service::Iam, "GetGroup");
        let (mut members, mut pages) = (BTreeSet::new(), Pages::new(&call));
        loop {
            let request = self.iam().get_group().group_name(name);
            let answer = match self.send(&call, request.set_marker(pages.marker()).send()).await {
                Ok(answer) => answer,
                Err(AwsError::NoSuchEntity { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            for user in answer.users() {
                members.insert(parse(&call, "UserName", user.user_name())?);
            }
            if !pages.advance(answer.is_truncated(), answer.marker())? {
                let path = present(&call, "Group", answer.group())?.path().to_owned();
                return Ok(Some(Group { path, members }));
            }
        }
    }

    /// `iam:CreateGroup`.
    ///
    /// # Errors
    /// When AWS refuses, or its answer is lost.
    pub async fn create_group(&self, name: &str, path: &str) -> Result<(), AwsError> {
        let call = self.call(Service::Iam, "CreateGroup");
        self.check_changes(&call)?;
        let request = self.iam_unrepeated().create_group().group_name(name).path(path);
        self.send_change(&call, || request.clone().send()).await.map(drop)
    }

    /// `iam:DeleteGroup`. Where there is none of that name, there is nothing to do.
    ///
    /// # Errors
    /// When AWS refuses, or its answer is lost.
    pub async fn delete_group(&self, name: &str) -> Result<(), AwsError> {
        let call = self.call(Service::Iam, "DeleteGroup");
        self.check_changes(&call)?;
        let request = self.iam_unrepeated().delete_group().group_name(name);
        gone_is_done(self.send_change(&call, || request.clone().send()).await).map(drop)
    }

    /// `iam:PutGroupPolicy`.
    ///
    /// # Errors
    /// When AWS refuses, or its answer is lost.
    pub async fn put_group_policy(&self, group: &str, name: &str, document: &str) -> Result<(), AwsError> {
        let call = self.call(Service::Iam, "PutGroupPolicy");
        self.check_changes(&call)?;
        let request = self.iam_unrepeated().put_group_policy();
        let request = request.group_name(group).policy_name(name).policy_document(document);
        self.send_change(&call, || request.clone().send()).await.map(drop)
    }

    /// `iam:GetGroupPolicy`: the text of an inline policy; none where there is none of that name.
    ///
    /// # Errors
    /// When AWS does not tell.
    pub async fn group_policy(&self, group: &str, name: &str) -> Result<Option<String>, AwsError> {
        let call = self.call(Service::Iam, "GetGroupPolicy");
        let request = self.iam().get_group_policy().group_name(group).policy_name(name);
        match self.send(&call, request.send()).await {
            Ok(answer) => Ok(Some(decoded(answer.policy_document()))),
            Err(AwsError::NoSuchEntity { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `iam:ListGroupPolicies`: the names of the group's inline policies, all pages.
    ///
    /// # Errors
    /// When AWS does not tell.
    pub async fn group_policies(&self, group: &str) -> Result<Vec<String>, AwsError> {
        let call = self.call(Service::Iam, "ListGroupPolicies");
        let (mut names, mut pages) = (Vec::new(), Pages::new(&call));
        loop {
            let request = self.iam().list_group_policies().group_name(group);
            let answer = self.send(&call, request.set_marker(pages.marker()).send()).await?;
            names.extend_from_slice(answer.policy_names());
            if !pages.advance(answer.is_truncated(), answer.marker())? {
                return Ok(names);
            }
        }
    }

    /// `iam:ListAttachedGroupPolicies`: the ARNs, all pages.
    ///
    /// # Errors
    /// When AWS does not tell.
    pub async fn attached_group_policies(&self, group: &str) -> Result<Vec<String>, AwsError> {
        let call = self.call(Service::Iam, "ListAttachedGroupPolicies");
        let (mut arns, mut pages) = (Vec::new(), Pages::new(&call));
        loop {
            let request = self.iam().list_attached_group_policies().group_name(group);
            let answer = self.send(&call, request.set_marker(pages.marker()).send()).await?;
            arns.extend(answer.attached_policies().iter().filter_map(|policy| policy.policy_arn().map(str::to_owned)));
            if !pages.advance(answer.is_truncated(), answer.marker())? {
                return Ok(arns);
            }
        }
    }

    /// `iam:DeleteGroupPolicy`. Where there is none of that name, there is nothing to do.
    ///
    /// # Errors
    /// When AWS refuses, or its answer is lost.
    pub async fn delete_group_policy(&self, group: &str, name: &str) -> Result<(), AwsError> {
        let call = self.call(Service::Iam, "DeleteGroupPolicy");
        self.check_changes(&call)?;
        let request = self.iam_unrepeated().delete_group_policy().group_name(group).policy_name(name);
        gone_is_done(self.send_change(&call, || request.clone().send()).await).map(drop)
    }

    /// `iam:AddUserToGroup`. One who is in it already stays in it.
    ///
    /// # Errors
    /// When AWS refuses, or its answer is lost.
    pub async fn add_user_to_group(&self, user: &UserName, group: &str) -> Result<(), AwsError> {
        let call = self.call(Service::Iam, "AddUserToGroup");
        self.check_changes(&call)?;
        let request = self.iam_unrepeated().add_user_to_group().group_name(group).user_name(user.as_str());
        self.send_change(&call, || request.clone().send()).await.map(drop)
    }

    /// `iam:RemoveUserFromGroup`. Where there is no such user or group, there is nothing to do.
    ///
    /// # Errors
    /// When AWS refuses, or its answer is lost.
    pub async fn remove_user_from_group(&self, user: &UserName, group: &str) -> Result<(), AwsError> {
        let call = self.call(Service::Iam, "RemoveUserFromGroup");
        self.check_changes(&call)?;
        let request = self.iam_unrepeated().remove_user_from_group().group_name(group).user_name(user.as_str());
        gone_is_done(self.send_change(&call, || request.clone().send()).await).map(drop)
    }

    /// `iam:ListGroupsForUser`: the names, all pages.
    ///
    /// # Errors
    /// When AWS does not tell.
    pub async fn groups_of_user(&self, user: &UserName) -> Result<BTreeSet<String>, AwsError> {
        let call = self.call(Service::Iam, "ListGroupsForUser");
        let (mut names, mut pages) = (BTreeSet::new(), Pages::new(&call));
        loop {
            let request = self.iam().list_groups_for_user().user_name(user.as_str());
            let answer = self.send(&call, request.set_marker(pages.marker()).send()).await?;
            names.extend(answer.groups().iter().map(|group| group.group_name().to_owned()));
            if !pages.advance(answer.is_truncated(), answer.marker())? {
                return Ok(names);
            }
        }
    }
}
