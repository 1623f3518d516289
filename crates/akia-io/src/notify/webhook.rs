//! A signed webhook, after the Standard Webhooks specification
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
//!
//! `webhook-id` is the notice's id, the same in each try; `webhook-timestamp` the second of this try; `webhook-signature` is
//! `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`. `docs/notices.md` shows how to verify it, and a test runs that.

use akia_core::notice::Message;
use data_encoding::BASE64;
use futures_util::future::BoxFuture;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;

use super::web::{Address, Request, send, silent};
use super::{Channel, DeliveryError, Kind, Receipt};
use crate::aws::Aws;
use crate::secrets::Secret;

pub(super) const KIND: Kind =
    Kind { word: "webhook", is_idempotent: true, why: "receivers know a message again by webhook-id" };

/// What stands before a secret in the form that the specification has for it.
const SECRET_PREFIX: &str = "whsec_";
/// Shortest secret, in bytes; the specification has 24 to 64.
const SHORTEST_SECRET: usize = 24;

pub(super) struct Webhook {
    aws: Aws,
    address: Address,
    secret: Secret,
    key: zeroize::Zeroizing<Vec<u8>>,
}

impl Webhook {
    /// A secret is `whsec_` and base64, or any text of 24 bytes or more.
    pub(super) fn new(aws: Aws, address: Address, secret: Secret) -> Result<Self, String> {
        let key = match secret.reveal().strip_prefix(SECRET_PREFIX) {
            Some(base64) => BASE64
                .decode(base64.as_bytes())
                .map_err(|_| format!("what follows {SECRET_PREFIX} in its secret is not base64"))?,
            None => secret.reveal().as_bytes().to_vec(),
        };
        if key.len() < SHORTEST_SECRET {
            return Err(format!("its secret is shorter than {SHORTEST_SECRET} bytes"));
        }
        Ok(Self { aws, address, secret, key: zeroize::Zeroizing::new(key) })
    }
}

impl Channel for Webhook {
    fn kind(&self) -> Kind {
        KIND
    }

    fn place(&self) -> String {
        self.address.host()
    }

    fn body(&self, message: &Message) -> String {
        message.event.to_string()
    }

    fn deliver<'a>(&'a self, message: &'a Message, now: Timestamp) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let body = self.body(message);
            let id = message.notice.id.as_str();
            let signature = sign(&self.key, id, now.as_second(), &body);
            let request = Request {
                method: "POST",
                url: self.address.url(),
                headers: vec![
                    ("webhook-id", id.to_owned()),
                    ("webhook-timestamp", now.as_second().to_string()),
                    ("webhook-signature", signature),
                ],
                body,
                secrets: &[self.address.secret(), &self.secret],
                words: silent,
            };
            let answer = send(&self.aws, request).await?;
            Ok(Receipt::new(now, "taken by the webhook").status(answer.status).id(answer.request_id))
        })
    }
}

/// The value of `webhook-signature`.
#[must_use]
pub fn sign(key: &[u8], id: &str, second: i64, body: &str) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104)")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(format!("{id}.{second}.{body}").as_bytes());
    format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn the_signature_is_that_of_the_specification() {
        let key = BASE64.decode(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
