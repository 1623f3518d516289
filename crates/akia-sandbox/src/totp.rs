//! One-time codes of virtual MFA devices: RFC 6238 with SHA-1, six digits and steps of 30 seconds, as IAM wants them.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// The length of a step in seconds.
pub(crate) const STEP_SECONDS: i64 = 30;

/// The code of one step.
pub(crate) fn code(seed: &[u8], step: i64) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha1>::new_from_slice(seed).expect("a key of any length");
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[19] & 0xf);
    let word = u32::from_be_bytes([digest[offset], digest[offset + 1], digest[offset + 2], digest[offset + 3]]);
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_6238() {
        // Appendix B, SHA-1, cut from eight digits to six.
        let seed = b"12345678901234567890";
        for (seconds, expected) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            assert_eq!(code(seed, seconds / STEP_SECONDS), expected, "at {seconds}");
        }
    }
}
