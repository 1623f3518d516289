//! What the function is called with.

use serde::Deserialize;

use super::StepError;

/// A step of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Makes the new key and keeps it under AWSPENDING.
    CreateSecret,
    /// Makes sure that IAM has the new key.
    SetSecret,
    /// Makes sure that the new key works.
    TestSecret,
    /// Makes it current.
    FinishSecret,
    /// Not of the contract: deactivates the displaced key once nobody uses it. For a schedule of EventBridge.
    RetireSecret,
}

/// An event of Secrets Manager, or of the schedule.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RotationEvent {
    /// What is to be done.
    pub step: Step,
    /// The secret.
    pub secret_id: String,
    /// The version that is made; the schedule names none.
    #[serde(default)]
    pub client_request_token: Option<String>,
    /// What Secrets Manager knows its own function by, in accounts that share a secret. It is as good as a password for the write.
    #[serde(default)]
    pub rotation_token: Option<String>,
}

impl Step {
    /// Its name in events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateSecret => "createSecret",
            Self::SetSecret => "setSecret",
            Self::TestSecret => "testSecret",
            Self::FinishSecret => "finishSecret",
            Self::RetireSecret => "retireSecret",
        }
    }
}

impl RotationEvent {
    /// Reads an event.
    ///
    /// # Errors
    /// When it is none, in words that repeat nothing of it.
    pub fn parse(text: &[u8]) -> Result<Self, StepError> {
        let event: Self = serde_json::from_slice(text).map_err(|_| StepError::Event {
            reason: "it is no step of a rotation; Secrets Manager sends Step, SecretId and ClientRequestToken, and a schedule \
                     sends {\"Step\": \"retireSecret\", \"SecretId\": \"ARN\"}"
                .to_owned(),
        })?;
        let has_token = event.client_request_token.as_ref().is_some_and(|token| !token.is_empty());
        if event.secret_id.is_empty() || (!has_token && event.step != Step::RetireSecret) {
            return Err(StepError::Event { reason: "SecretId or ClientRequestToken is missing".to_owned() });
        }
        Ok(event)
    }

    pub(super) fn token(&self) -> &str {
        self.client_request_token.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_secrets_manager_sends_them() {
        let event =
            RotationEvent::parse(br#"{"Step":"createSecret","SecretId":"s","ClientRequestToken":"t"}"#).unwrap();
        assert_eq!((event.step, event.secret_id.as_str(), event.token()), (Step::CreateSecret, "s", "t"));
        assert!(RotationEvent::parse(br#"{"Step":"retireSecret","SecretId":"s"}"#).is_ok());
        for text in [
            &b"{}"[..],
            br#"{"Step":"createSecret","SecretId":"s"}"#,
            br#"{"Step":"createSecret","SecretId":"","ClientRequestToken":"t"}"#,
            br#"{"Step":"dropSecret","SecretId":"s","ClientRequestToken":"canary"}"#,
        ] {
            let error = RotationEvent::parse(text).err().unwrap().to_string();
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
