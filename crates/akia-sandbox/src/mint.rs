//! Everything random: ids, secrets, tokens and chances, all from one seeded source, so that a run can be repeated.

use data_encoding::{BASE32_NOPAD, BASE64, BASE64_NOPAD};
use std::time::Duration;

/// The source of randomness.
#[derive(Debug)]
pub(crate) struct Mint(fastrand::Rng);

impl Mint {
    /// A repeatable source with a seed, another one each time without.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self(seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed))
    }

    /// A key id that carries its account the way AWS's do since 2019: the first 48 bits behind the prefix are a set
    /// bit, forty bits of account, and seven others.
    pub(crate) fn key_id(&mut self, prefix: &str, account: &str) -> String {
        let account: u64 = account.parse().unwrap_or_default();
        let head = (1 << 47) | ((account & 0xff_ffff_ffff) << 7) | self.0.u64(0..128);
        let mut bytes = [0_u8; 10];
        bytes[..6].copy_from_slice(&head.to_be_bytes()[2..]);
        self.0.fill(&mut bytes[6..]);
        format!("{prefix}{}", BASE32_NOPAD.encode(&bytes))
    }

    /// A secret of 40 characters, with the `+` and `/` that AWS's have.
    pub(crate) fn secret(&mut self) -> String {
        let mut bytes = [0_u8; 30];
        self.0.fill(&mut bytes);
        BASE64.encode(&bytes)
    }

    /// A session token, shorter than AWS's thousand characters.
    pub(crate) fn session_token(&mut self) -> String {
        let mut bytes = [0_u8; 240];
        self.0.fill(&mut bytes);
        format!("IQoJb3JpZ2luX2VjE{}", BASE64.encode(&bytes))
    }

    /// A unique id as of users (`AIDA`), roles (`AROA`), groups (`AGPA`), policies (`ANPA`): 21 characters.
    pub(crate) fn unique_id(&mut self, prefix: &str) -> String {
        let mut bytes = [0_u8; 11];
        self.0.fill(&mut bytes);
        format!("{prefix}{}", &BASE32_NOPAD.encode(&bytes)[..17])
    }

    /// An id of small letters and digits, as those of Organizations.
    pub(crate) fn lower_case_id(&mut self, prefix: &str, length: usize) -> String {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let letters = (0..length).map(|_| char::from(LETTERS[self.0.usize(0..LETTERS.len())]));
        prefix.chars().chain(letters).collect()
    }

    /// The seed of a virtual MFA device: 20 bytes.
    pub(crate) fn totp_seed(&mut self) -> Vec<u8> {
        let mut bytes = vec![0_u8; 20];
        self.0.fill(&mut bytes);
        bytes
    }

    /// A version 4 UUID, for request and event ids.
    pub(crate) fn uuid(&mut self) -> String {
        let bits = self.0.u128(..);
        let bits = bits & !(0xf000_u128 << 64) | 0x4000_u128 << 64;
        let bits = bits & !(0xc000_u128 << 48) | 0x8000_u128 << 48;
        let hex = format!("{bits:032x}");
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    /// Whether something of this probability happens.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.0.f64() < probability
    }

    /// A number between 0 and 1.
    pub(crate) fn share(&mut self) -> f64 {
        self.0.f64()
    }

    /// A duration in the range.
    pub(crate) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        least + most.saturating_sub(least).mul_f64(self.0.f64())
    }
}

/// The account that a key id carries, read back.
pub(crate) fn account_of_key_id(id: &str) -> Option<String> {
    let tail = id.get(4..20)?;
    let bytes = BASE32_NOPAD.decode(tail.as_bytes()).ok()?;
    let mut head = [0_u8; 8];
    head[2..].copy_from_slice(&bytes[..6]);
    let head = u64::from_be_bytes(head);
    (head >> 47 == 1).then(|| format!("{:012}", (head >> 7) & 0xff_ffff_ffff))
}

/// An opaque paging marker that points behind `last`.
pub(crate) fn marker(last: &str) -> String {
    BASE64_NOPAD.encode(format!("after:{last}").as_bytes())
}

/// What a paging marker points behind. `None`: not a marker of ours.
pub(crate) fn read_marker(marker: &str) -> Option<String> {
    let bytes = BASE64_NOPAD.decode(marker.as_bytes()).ok()?;
    String::from_utf8(bytes).ok()?.strip_prefix("after:").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_ids_carry_their_account() {
        let mut mint = Mint::new(Some(7));
        for account in ["111122223333", "000000000001", "999999999999"] {
            let id = mint.key_id("AKIA", account);
            assert_eq!(id.len(), 20, "{id}");
            assert_eq!(account_of_key_id(&id).as_deref(), Some(account));
        }
        // An id of the first years, and one from AWS's public write-ups whose account is known.
        assert_eq!(account_of_key_id(concat!("AKIA", "IOSFODNN7EXAMPLE")), None);
        assert_eq!(account_of_key_id(concat!("ASIA", "Y34FZKBOKMUTVV7A")).as_deref(), Some("609629065308"));
    }

    #[test]
    fn the_same_seed_gives_the_same_secrets_and_another_seed_others() {
        let (mut a, mut b, mut c) = (Mint::new(Some(1)), Mint::new(Some(1)), Mint::new(Some(2)));
        let secret = a.secret();
        assert_eq!(secret.len(), 40);
        assert_eq!(secret, b.secret());
        assert_ne!(secret, c.secret());
        assert_eq!(a.unique_id("AIDA").len(), 21);
        let uuid = a.uuid();
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
    }

    #[test]
    fn markers_read_back_and_foreign_ones_do_not() {
        assert_eq!(read_marker(&marker("alice")).as_deref(), Some("alice"));
        assert_eq!(read_marker("alice"), None);
    }
}
