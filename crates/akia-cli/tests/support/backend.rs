//! The backends that act as AWS in tests, and in what each departs from AWS.
//!
//! `DIFFERENCES` is the one list: tests branch on it through [`Backend::keeps`], the contract suite proves each entry
//! for each backend, and `docs/emulators.md` is printed from it.

use super::cloud::{Cloud, Key, fresh_account};
use super::lab::ask;
use akia_sandbox::{AccountSpec, Sandbox};
use serde_json::{Value, json};
use std::sync::OnceLock;

/// Who acts as AWS.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Backend {
    /// Our own sandbox over HTTP, with AWS's delays switched off.
    Sandbox,
    /// moto's server, checking signatures and policies from the first call on.
    Moto,
    /// MiniStack with `AUTH=true`.
    MiniStack,
}

/// Something that AWS documents and that some backend does otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fact {
    ThirdKeyIsRefused,
    InactiveKeyIsRefused,
    UseIsRecorded,
    CallerIsTheDefaultUser,
    MissingUserHasNoList,
    DeleteChecksTheUser,
    ResourceIsChecked,
    UserNameVariable,
    ConditionsAreChecked,
    MfaSessionCounts,
    WrongMfaCodeIsRefused,
    SessionNeedsNoRight,
    SessionWithoutMfaHasNoIam,
    MissingRoleIsRefused,
    AccountRootMayBeTrusted,
    SimulationAnswers,
    AccountFromAnyKeyId,
    KeyIdHoldsTheAccount,
    UserIdShape,
    ForeignKeyIsDenied,
    EventsCanBeLookedUp,
    ReportHasTheRoot,
    ListsHavePages,
}

/// One row of `docs/emulators.md`: what AWS documents and where; `None` is a backend that does the same. The sandbox has no
/// column: what it does otherwise is mended, not listed.
pub(crate) struct Difference {
    pub(crate) fact: Fact,
    pub(crate) aws: &'static str,
    pub(crate) source: &'static str,
    pub(crate) moto: Option<&'static str>,
    pub(crate) ministack: Option<&'static str>,
}

/// Everything that the contract suite found.
pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        fact: Fact::ThirdKeyIsRefused,
        aws: "a user has at most two keys, inactive ones count; a third is `LimitExceeded` (409)",
        source: "API_CreateAccessKey, reference_iam-quotas",
        moto: None,
        ministack: Some("makes a third, and any number more"),
    },
    Difference {
        fact: Fact::InactiveKeyIsRefused,
        aws: "an inactive key is refused: `InvalidClientTokenId` (403)",
        source: "id_credentials_access-keys-admin-managed",
        moto: Some("lets it in, although it checks the signature"),
        ministack: None,
    },
    Difference {
        fact: Fact::UseIsRecorded,
        aws: "`GetAccessKeyLastUsed` tells when, for which service and in which region a key was last used",
        source: "API_GetAccessKeyLastUsed",
        moto: None,
        ministack: Some("always answers never used (`N/A`)"),
    },
    Difference {
        fact: Fact::CallerIsTheDefaultUser,
        aws: "without `UserName`, the user that owns the signing key is meant",
        source: "API_GetUser, API_ListAccessKeys, API_CreateAccessKey",
        moto: None,
        ministack: Some(
            "`GetUser` describes a user called root; the key calls mean a user called default, who need not exist",
        ),
    },
    Difference {
        fact: Fact::MissingUserHasNoList,
        aws: "`ListAccessKeys` for a user that does not exist is `NoSuchEntity` (404)",
        source: "API_ListAccessKeys",
        moto: None,
        ministack: Some("an empty list"),
    },
    Difference {
        fact: Fact::DeleteChecksTheUser,
        aws: "`DeleteAccessKey` with another user's key is `NoSuchEntity` (404)",
        source: "API_DeleteAccessKey",
        moto: None,
        ministack: Some("deletes it, whoever owns it"),
    },
    Difference {
        fact: Fact::ResourceIsChecked,
        aws: "a statement that names one user's ARN allows the calls about that user and no other",
        source: "reference_policies_elements_resource, service authorization reference of IAM",
        moto: Some("matches no IAM call with any resource but `*`"),
        ministack: None,
    },
    Difference {
        fact: Fact::UserNameVariable,
        aws: "`${aws:username}` in a resource is the caller's name",
        source: "reference_policies_variables",
        moto: Some("never matches"),
        ministack: Some("never matches"),
    },
    Difference {
        fact: Fact::ConditionsAreChecked,
        aws: "a statement whose condition is false allows nothing",
        source: "reference_policies_elements_condition",
        moto: Some("does not look at conditions"),
        ministack: None,
    },
    Difference {
        fact: Fact::MfaSessionCounts,
        aws: "a session made with a right MFA code has `aws:MultiFactorAuthPresent` true",
        source: "id_credentials_mfa_configure-api-require",
        moto: None,
        ministack: Some("it is false in every session: what asks for MFA can never be done"),
    },
    Difference {
        fact: Fact::WrongMfaCodeIsRefused,
        aws: "a wrong MFA code is `AccessDenied` (403)",
        source: "API_GetSessionToken",
        moto: Some("any code will do, and any device"),
        ministack: Some("any code will do, and any device"),
    },
    Difference {
        fact: Fact::SessionNeedsNoRight,
        aws: "`GetSessionToken` needs no permission",
        source: "API_GetSessionToken",
        moto: Some("needs `sts:GetSessionToken`"),
        ministack: None,
    },
    Difference {
        fact: Fact::SessionWithoutMfaHasNoIam,
        aws: "credentials of `GetSessionToken` without MFA cannot call IAM",
        source: "API_GetSessionToken",
        moto: Some("hands out the key of AWS's own examples, which it then does not know (`InvalidClientTokenId`)"),
        ministack: Some("they can"),
    },
    Difference {
        fact: Fact::MissingRoleIsRefused,
        aws: "`AssumeRole` of a role that does not exist is `AccessDenied` (403)",
        source: "API_AssumeRole",
        moto: Some("gives credentials"),
        ministack: None,
    },
    Difference {
        fact: Fact::AccountRootMayBeTrusted,
        aws: "a trust policy that names `arn:aws:iam::ACCOUNT:root` trusts the account, whose policies decide",
        source: "reference_policies_elements_principal",
        moto: Some("refuses; it wants the user's own ARN"),
        ministack: None,
    },
    Difference {
        fact: Fact::SimulationAnswers,
        aws: "`SimulatePrincipalPolicy` answers with a decision for each action",
        source: "API_SimulatePrincipalPolicy",
        moto: Some("500 with a page of HTML"),
        ministack: None,
    },
    Difference {
        fact: Fact::AccountFromAnyKeyId,
        aws: "`GetAccessKeyInfo` tells the account of any key id, also of another account's",
        source: "API_GetAccessKeyInfo",
        moto: Some("always the caller's own account"),
        ministack: None,
    },
    Difference {
        fact: Fact::KeyIdHoldsTheAccount,
        aws: "the key id holds the account id in base32 (not documented; seen in every key since 2019)",
        source: "none",
        moto: None,
        ministack: Some("random hexadecimal digits; decoding them gives an account that does not exist, or fails"),
    },
    Difference {
        fact: Fact::UserIdShape,
        aws: "a user id begins with `AIDA`",
        source: "reference_identifiers",
        moto: Some("twenty small letters and digits"),
        ministack: None,
    },
    Difference {
        fact: Fact::ForeignKeyIsDenied,
        aws: "`GetAccessKeyLastUsed` of a key that is not this account's is `AccessDenied` (403), even for an administrator",
        source: "none; observed (API_GetAccessKeyLastUsed lists no errors)",
        moto: Some("`NoSuchEntity` (404) if nobody has it; tells user and time of another account's"),
        ministack: Some("`NoSuchEntity` (404)"),
    },
    Difference {
        fact: Fact::EventsCanBeLookedUp,
        aws: "`LookupEvents` finds the calls of the last 90 days, by key id too, each with the API's name",
        source: "API_LookupEvents of CloudTrail",
        moto: Some("500 with a page of HTML"),
        ministack: Some("finds calls by key id, but names them `POST.iam`, without user agent"),
    },
    Difference {
        fact: Fact::ReportHasTheRoot,
        aws: "the credential report has a row for `<root_account>`",
        source: "id_credentials_getting-report",
        moto: Some("has none"),
        ministack: None,
    },
    Difference {
        fact: Fact::ListsHavePages,
        aws: "`MaxItems` cuts a list, `IsTruncated` and `Marker` lead on",
        source: "API_ListUsers, API_ListAccessKeys",
        moto: Some("does not page lists of keys"),
        ministack: Some("does not page"),
    },
];

/// MiniStack knows one root secret for all accounts; it is made here, not found anywhere.
const MINISTACK_SECRET: &str = "ministack-root-secret";

impl Backend {
    /// Every backend.
    pub(crate) const ALL: [Backend; 3] = [Backend::Sandbox, Backend::Moto, Backend::MiniStack];

    /// A fresh account on this backend; its server is started by the first call in this process.
    pub(crate) fn open(self) -> Cloud {
        let account = fresh_account();
        let (port, admin) = match self {
            Backend::Sandbox => {
                return Cloud::of(Sandbox::builder().account(AccountSpec::new(&account)).build());
            }
            Backend::Moto => return Self::moto_account(&account),
            Backend::MiniStack => {
                static PORT: OnceLock<u64> = OnceLock::new();
                let start = json!({ "do": "ministack", "root": "AKIAMINISTACKROOTKEY", "secret": MINISTACK_SECRET });
                let port = *PORT.get_or_init(|| ask(start)["port"].as_u64().unwrap());
                // An account id in place of a key id is that account's root.
                (port, Key { id: account.clone(), secret: MINISTACK_SECRET.to_owned(), token: None })
            }
        };
        Cloud::served(self, format!("http://127.0.0.1:{port}"), account, admin)
    }

    /// An account of moto, with an administrator, who is made anew where there is one.
    pub(crate) fn moto_account(account: &str) -> Cloud {
        static PORT: OnceLock<u64> = OnceLock::new();
        let port = *PORT.get_or_init(|| ask(json!({ "do": "moto" }))["port"].as_u64().unwrap());
        let answer = ask(json!({ "do": "moto-account", "port": port, "account": account }));
        let text = |index: usize| answer["key"][index].as_str().unwrap().to_owned();
        let admin = Key { id: text(0), secret: text(1), token: None };
        Cloud::served(Backend::Moto, format!("http://127.0.0.1:{port}"), account.to_owned(), admin)
    }

    /// Whether this backend does as AWS documents.
    pub(crate) fn keeps(self, fact: Fact) -> bool {
        let row = DIFFERENCES.iter().find(|row| row.fact == fact).expect("every fact has a row");
        row.of(self).is_none()
    }

    /// The policy of a person who looks after her own keys: AWS's own example as far as this backend understands it.
    pub(crate) fn own_keys_policy(self, condition: &Value) -> Value {
        let resource = if self.keeps(Fact::UserNameVariable) { "arn:aws:iam::*:user/${aws:username}" } else { "*" };
        let actions = ["CreateAccessKey", "DeleteAccessKey", "GetAccessKeyLastUsed", "GetUser", "ListAccessKeys"];
        let mut actions: Vec<String> = actions.iter().map(|action| format!("iam:{action}")).collect();
        actions.push("iam:UpdateAccessKey".to_owned());
        let mut statement = json!({ "Effect": "Allow", "Action": actions, "Resource": resource });
        if condition.as_object().is_some_and(|condition| !condition.is_empty()) {
            statement["Condition"] = condition.clone();
        }
        json!({ "Version": "2012-10-17", "Statement": [statement] })
    }
}

impl Difference {
    /// What the backend does instead; `None` if it does as AWS documents.
    pub(crate) fn of(&self, backend: Backend) -> Option<&'static str> {
        match backend {
            // What the sandbox does otherwise is a bug in it, and mended there.
            Backend::Sandbox => None,
            Backend::Moto => self.moto,
            Backend::MiniStack => self.ministack,
        }
    }
}
