//! Accounts that make canary tokens: keys that are planted to be used, and ring a bell when they are.

use crate::ids::AccountId;

/// Account ids are public in every canary token. Published by Truffle Security
/// (<https://trufflesecurity.com/blog/canaries>, and `pkg/detectors/aws/access_keys/canary.go` of trufflehog at 3ab759f) and, the
/// last three, by MongoDB in kingfisher (the accounts it never validates keys of).
const ACCOUNTS: [&str; 29] = [
    // Thinkst: canarytokens.org and its customers' consoles.
    "052310077262",
    "171436882533",
    "266735846894",
    "534261010715",
    "595918472158",
    "717712589309",
    "730335385048",
    "819147034852",
    "893192397702",
    "992382622183",
    // Others.
    "044858866125",
    "251535659677",
    "344043088457",
    "351906852752",
    "390477818340",
    "426127672474",
    "427150556519",
    "439872796651",
    "445142720921",
    "465867158099",
    "637958123769",
    "693412236332",
    "732624840810",
    "735421457923",
    "959235150393",
    "982842642351",
    "528757803018",
    "538784191382",
    "729780141977",
];

/// Whether keys of this account are canary tokens.
pub(super) fn makes_canaries(account: &AccountId) -> bool {
    ACCOUNTS.contains(&account.as_str())
}
