//! Secrets of Secrets Manager, their versions and staging labels.
//!
//! Invariant: nothing is written where keys must not be changed, and every write here may be sent again: a version is named by its
//! token, and a label that is where it should be is not moved.
//!
//! Source: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/Welcome.html>.

use std::collections::BTreeMap;

use akia_core::ids::Region;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::caller::Caller;
use super::error::AwsError;
use super::options::Service;
use super::signed::JsonApi;

/// The label of the version that readers get.
pub(crate) const CURRENT: &str = "AWSCURRENT";
/// The label of the version that readers will get.
pub(crate) const PENDING: &str = "AWSPENDING";
/// The label of the version that readers got before.
pub(crate) const PREVIOUS: &str = "AWSPREVIOUS";

/// A version that no secret has: a token is no UUID of zeros.
const NO_VERSION: &str = "00000000-0000-0000-0000-000000000000";

/// A secret, without its values.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DescribedSecret {
    #[serde(rename = "ARN")]
    pub(crate) arn: String,
    #[serde(default)]
    pub(crate) rotation_enabled: Option<bool>,
    /// Set where it is scheduled for deletion.
    #[serde(default)]
    pub(crate) deleted_date: Option<Value>,
    /// The service that manages it, where one does.
    #[serde(default)]
    pub(crate) owning_service: Option<String>,
    /// Where it can be written, where this is a replica or has some.
    #[serde(default)]
    pub(crate) primary_region: Option<String>,
    /// Versions that have a label.
    #[serde(default)]
    version_ids_to_stages: Option<BTreeMap<String, Vec<String>>>,
}

/// A version with its value. It has no `Debug`.
pub(crate) struct SecretVersion {
    pub(crate) id: String,
    pub(crate) created_at: Option<Timestamp>,
    /// `None` where the value is binary.
    pub(crate) text: Option<Zeroizing<String>>,
}

impl DescribedSecret {
    /// The version with a label.
    pub(crate) fn version_with(&self, label: &str) -> Option<&str> {
        let versions = self.version_ids_to_stages.as_ref()?;
        versions.iter().find(|(_, labels)| labels.iter().any(|one| one == label)).map(|(id, _)| id.as_str())
    }

    /// Whether a version has any label.
    pub(crate) fn knows(&self, version: &str) -> bool {
        self.version_ids_to_stages.as_ref().is_some_and(|versions| versions.contains_key(version))
    }
}

impl Caller {
    /// `secretsmanager:DescribeSecret`; `None` where there is no such secret.
    pub(crate) async fn describe_secret(
        &self,
        region: &Region,
        secret: &str,
    ) -> Result<Option<DescribedSecret>, AwsError> {
        missing_is_none(self.secrets(region, "DescribeSecret", json!({ "SecretId": secret })).await)
    }

    /// `secretsmanager:GetSecretValue` of the version with a label, `None` where none has it or it has no value.
    pub(crate) async fn secret_labelled(
        &self,
        region: &Region,
        secret: &str,
        label: &str,
    ) -> Result<Option<SecretVersion>, AwsError> {
        self.secret_value(region, json!({ "SecretId": secret, "VersionStage": label })).await
    }

    /// `secretsmanager:GetSecretValue` of a version, `None` where there is none or it has no value.
    pub(crate) async fn secret_version(
        &self,
        region: &Region,
        secret: &str,
        version: &str,
    ) -> Result<Option<SecretVersion>, AwsError> {
        self.secret_value(region, json!({ "SecretId": secret, "VersionId": version })).await
    }

    async fn secret_value(&self, region: &Region, body: Value) -> Result<Option<SecretVersion>, AwsError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            version_id: String,
            #[serde(default)]
            created_date: Option<f64>,
            #[serde(default)]
            secret_string: Option<String>,
        }
        let answer: Option<Answer> = missing_is_none(self.secrets(region, "GetSecretValue", body).await)?;
        Ok(answer.map(|answer| SecretVersion {
            id: answer.version_id,
            #[expect(clippy::cast_possible_truncation, reason = "a float beyond the range becomes its end")]
            created_at: answer.created_date.and_then(|seconds| Timestamp::from_second(seconds as i64).ok()),
            text: answer.secret_string.map(Zeroizing::new),
        }))
    }

    /// `secretsmanager:CreateSecret`: with its first value, which readers get.
    pub(crate) async fn create_secret(
        &self,
        region: &Region,
        name: &str,
        token: &str,
        text: &str,
    ) -> Result<(), AwsError> {
        let body = json!({ "Name": name, "ClientRequestToken": token, "SecretString": text });
        self.change_secret(region, "CreateSecret", body).await
    }

    /// `secretsmanager:PutSecretValue`: the version `token` with a label. Where it exists with the same value, it stays as it is.
    pub(crate) async fn put_secret_version(
        &self,
        region: &Region,
        secret: &str,
        token: &str,
        text: &str,
        label: &str,
        rotation_token: Option<&str>,
    ) -> Result<(), AwsError> {
        let mut body = json!({
            "SecretId": secret, "ClientRequestToken": token, "SecretString": text, "VersionStages": [label],
        });
        if let Some(rotation_token) = rotation_token {
            body["RotationToken"] = json!(rotation_token);
        }
        self.change_secret(region, "PutSecretValue", body).await
    }

    /// `secretsmanager:UpdateSecretVersionStage`: takes a label from one version and gives it to another. AWS refuses where
    /// another version has it.
    pub(crate) async fn move_label(
        &self,
        region: &Region,
        secret: &str,
        label: &str,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<(), AwsError> {
        let mut body = json!({ "SecretId": secret, "VersionStage": label });
        if let Some(from) = from {
            body["RemoveFromVersionId"] = json!(from);
        }
        if let Some(to) = to {
            body["MoveToVersionId"] = json!(to);
        }
        self.change_secret(region, "UpdateSecretVersionStage", body).await
    }

    /// Asks for what must be refused, a version without a value and a label for a version that does not exist: nothing is
    /// changed, and whoever lacks the right learns so.
    pub(crate) async fn rehearse_secret(&self, region: &Region, secret: &str) -> Result<(), AwsError> {
        let put = json!({ "SecretId": secret, "VersionStages": [PENDING] });
        let moved = json!({ "SecretId": secret, "VersionStage": "AKIAREHEARSAL", "MoveToVersionId": NO_VERSION });
        for (operation, body) in [("PutSecretValue", put), ("UpdateSecretVersionStage", moved)] {
            match self.change_secret(region, operation, body).await {
                Ok(()) | Err(AwsError::Rejected { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether secrets may be written where the calls go.
    pub(crate) fn check_secrets(&self, region: &Region) -> Result<(), AwsError> {
        let call = self.call_in(Service::SecretsManager, region, "PutSecretValue");
        self.check_keeping(Service::SecretsManager, &call)
    }

    async fn change_secret(&self, region: &Region, operation: &str, body: Value) -> Result<(), AwsError> {
        self.check_secrets(region)?;
        self.secrets::<Value>(region, operation, body).await.map(drop)
    }

    async fn secrets<T: DeserializeOwned>(&self, region: &Region, operation: &str, body: Value) -> Result<T, AwsError> {
        self.read_json(JsonApi::Secrets, region, operation, &body).await
    }
}

fn missing_is_none<T>(answer: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(AwsError::Rejected { code, .. }) if code == "ResourceNotFoundException" => Ok(None),
        Err(error) => Err(error),
    }
}
