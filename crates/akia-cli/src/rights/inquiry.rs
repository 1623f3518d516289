//! Asks IAM about rights: by simulation where the caller may, else by calls that change nothing.

use std::collections::{BTreeMap, BTreeSet};

use akia_core::Partition;
use akia_core::policy::{Action, Command, ResourceForm, Standing};
use akia_core::profile::ProfileKind;
use akia_core::quarantine::quarantine_policy;
use akia_io::aws::{AwsError, Fact, IdentityKind, Right, Simulated, Simulation};
use akia_io::profiles::AwsFiles;
use futures_util::future::join_all;

use super::Scope;
use crate::signing::{Device, Signed};

/// The right that asks about rights.
const SIMULATE: &str = "iam:SimulatePrincipalPolicy";
/// Why a call cannot be tried on every user at once.
pub(super) const NEEDS_USER: &str = "a call needs a user: name one with --user";
/// Whether the request comes from a session with MFA.
const MFA: &str = "aws:MultiFactorAuthPresent";
/// The policy that is attached or detached.
const POLICY: &str = "iam:PolicyARN";
/// Facts that no request about access keys carries: a policy that asks for them decides the same without them.
const NEVER_THERE: [&str; 2] = ["aws:TagKeys", "aws:RequestTag/"];
/// Facts that a request signed with a long-term key does not carry either.
const OF_SESSIONS: [&str; 3] = [MFA, "aws:MultiFactorAuthAge", "aws:TokenIssueTime"];

/// Who asks.
pub struct Inquiry<'a> {
    /// Who signs.
    pub signed: &'a Signed,
    /// Both AWS files.
    pub files: &'a AwsFiles,
    /// Whom it is about.
    pub scope: &'a Scope,
}

/// Everything that was found out.
#[derive(Debug, Default)]
pub struct Rights {
    /// By action and resource, with how it was found out.
    answers: BTreeMap<(&'static str, String), (Standing, &'static str)>,
    /// The user or role whose policies were simulated.
    pub principal: Option<String>,
    /// Why the simulation did not answer.
    pub no_simulation: Option<AwsError>,
}

impl Rights {
    /// The answer about one right.
    #[must_use]
    pub fn get(&self, action: &Action, resource: &str) -> Option<(&Standing, &'static str)> {
        self.answers.get(&(action.name, resource.to_owned())).map(|(standing, found_by)| (standing, *found_by))
    }

    /// What a right is asked for. The right to simulate is always about the caller.
    #[must_use]
    pub fn resource_of(&self, scope: &Scope, command: Command, action: &Action) -> String {
        match &self.principal {
            Some(principal) if action.name == SIMULATE => principal.clone(),
            Some(_) | None => scope.resource(command, action),
        }
    }

    /// The ways in which answers were found.
    #[must_use]
    pub fn ways(&self) -> BTreeSet<&'static str> {
        self.answers.values().map(|(_, found_by)| *found_by).collect()
    }
}

impl Inquiry<'_> {
    /// Finds out about every right of these commands, each once.
    pub async fn ask(&self, commands: &[Command]) -> Rights {
        let mut rights = Rights { principal: self.principal().await, ..Rights::default() };
        let mut open: BTreeMap<(&'static str, String), (&'static Action, Command)> = BTreeMap::new();
        for command in commands {
            for action in command.actions() {
                let resource = rights.resource_of(self.scope, *command, action);
                open.entry((action.name, resource)).or_insert((action, *command));
            }
        }
        match &self.scope.kind {
            IdentityKind::Root { .. } => {
                let all = open.into_keys().map(|right| (right, (Standing::Allowed, "root")));
                rights.answers.extend(all);
                return rights;
            }
            IdentityKind::FederatedUser { .. } => {
                // API reference of GetFederationToken: such a session cannot call IAM, whatever its policies say.
                let closed: Vec<_> = open.keys().filter(|(action, _)| action.starts_with("iam:")).cloned().collect();
                for right in closed {
                    open.remove(&right);
                    let reason = Some("AWS lets no session of GetFederationToken call IAM".to_owned());
                    rights.answers.insert(right, (Standing::Denied { reason }, "documented"));
                }
            }
            IdentityKind::User(_) | IdentityKind::AssumedRole { .. } | IdentityKind::Other => {
                self.simulate_all(&mut rights, &mut open).await;
            }
        }
        let tried = join_all(open.into_iter().map(|(right, (action, command))| async move {
            let standing = self.attempt(action, command).await;
            (right, standing)
        }));
        for (right, standing) in tried.await {
            let known = rights.answers.remove(&right);
            let answer = match (standing, known) {
                // The simulation's doubt says more than that no call shows it.
                (Standing::Unknown { .. }, Some(doubt)) => doubt,
                (standing, _) => (standing, "trial"),
            };
            rights.answers.insert(right, answer);
        }
        rights
    }

    /// The user or role whose policies are simulated. A session's ARN leaves the path of its role out.
    async fn principal(&self) -> Option<String> {
        match &self.scope.kind {
            IdentityKind::User(arn) => Some(arn.to_string()),
            IdentityKind::Root { .. } | IdentityKind::FederatedUser { .. } => None,
            IdentityKind::Other => Some(self.scope.caller.arn.clone()),
            IdentityKind::AssumedRole { role, .. } => {
                if let Ok(arn) = self.signed.caller.role_arn(role).await {
                    return Some(arn);
                }
                let profile = self.signed.profile.as_ref().and_then(|name| self.files.profiles().find(name));
                let of_profile = profile.and_then(|profile| match &profile.kind {
                    ProfileKind::Role { role_arn, .. } if role_arn.rsplit('/').next() == Some(role.as_str()) => {
                        Some(role_arn.clone())
                    }
                    _ => None,
                });
                let partition = self.scope.caller.arn.split(':').nth(1).unwrap_or("aws");
                let plain = format!("arn:{partition}:iam::{}:role/{role}", self.scope.caller.account);
                Some(of_profile.unwrap_or(plain))
            }
        }
    }

    /// Answers by simulation, taken out of `open`. What the simulation leaves in doubt stays there, too.
    async fn simulate_all(
        &self,
        rights: &mut Rights,
        open: &mut BTreeMap<(&'static str, String), (&'static Action, Command)>,
    ) {
        let Some(principal) = rights.principal.clone() else { return };
        let mut by_resource: BTreeMap<&str, Vec<&'static str>> = BTreeMap::new();
        for (action, resource) in open.keys().filter(|(action, _)| *action != SIMULATE) {
            by_resource.entry(resource).or_default().push(action);
        }
        if by_resource.is_empty() && open.contains_key(&(SIMULATE, principal.clone())) {
            // Nothing else is asked for, and the right to ask shows itself by asking.
            by_resource.insert(&principal, vec!["iam:GetUser"]);
        }
        let facts = self.facts();
        let mut answered = Vec::new();
        for (resource, actions) in by_resource {
            let ask = Simulation { principal: &principal, actions: &actions, resource, facts: &facts };
            match self.signed.caller.simulate(ask).await {
                Ok(decided) => answered.extend(
                    actions.iter().zip(decided).map(|(action, one)| ((*action, resource.to_owned()), self.read(&one))),
                ),
                Err(error) => {
                    rights.no_simulation = Some(error);
                    break;
                }
            }
        }
        let simulate = match &rights.no_simulation {
            None if answered.is_empty() => None,
            None => Some(Standing::Allowed),
            Some(AwsError::AccessDenied { reason, .. }) => Some(Standing::Denied { reason: reason.clone() }),
            Some(error) => Some(Standing::Unknown { why: error.to_string() }),
        };
        if let Some(standing) = simulate {
            let right = (SIMULATE, principal);
            open.remove(&right);
            rights.answers.insert(right, (standing, "trial"));
        }
        for (right, standing) in answered {
            if !matches!(standing, Standing::Unknown { .. }) {
                open.remove(&right);
            }
            rights.answers.insert(right, (standing, "simulation"));
        }
    }

    /// What holds of the requests that this caller sends.
    fn facts(&self) -> Vec<(&'static str, Fact)> {
        let partition = self.scope.caller.partition().unwrap_or(Partition::Aws);
        // The only policy that akia attaches, and that its own policies allow to be attached.
        let mut facts =
            vec![("aws:SecureTransport", Fact::Truth(true)), (POLICY, Fact::Text(quarantine_policy(partition)))];
        // AWS lets a session of GetSessionToken call IAM only with MFA (API reference of GetSessionToken).
        let session_of_user = self.signed.caller.credentials().is_temporary() && self.scope.own().is_some();
        if self.signed.device == Device::InUse || session_of_user {
            facts.push((MFA, Fact::Truth(true)));
        }
        facts
    }

    fn read(&self, one: &Simulated) -> Standing {
        if one.is_allowed {
            return Standing::Allowed;
        }
        let long_term = !self.signed.caller.credentials().is_temporary();
        let is_absent = |fact: &String| {
            let is = |name: &str| fact.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
            NEVER_THERE.iter().any(|name| is(name)) || (long_term && OF_SESSIONS.iter().any(|name| is(name)))
        };
        let missing: Vec<&str> = one.missing_facts.iter().filter(|fact| !is_absent(fact)).map(String::as_str).collect();
        if missing.is_empty() {
            let reason = match (one.by_organization, one.is_explicit) {
                (true, _) => Some("a policy of the organization forbids it".to_owned()),
                (false, true) => Some("a statement denies it".to_owned()),
                (false, false) => None,
            };
            return Standing::Denied { reason };
        }
        Standing::Unknown {
            why: format!(
                "the simulation denies it, but knows nothing of {}, which a policy looks at",
                missing.join(", ")
            ),
        }
    }

    /// A call that changes nothing, and what its answer means.
    async fn attempt(&self, action: &Action, command: Command) -> Standing {
        let subject = self.scope.subject(command);
        if action.resource == ResourceForm::User && subject.is_none() {
            return Standing::Unknown { why: NEEDS_USER.to_owned() };
        }
        // About the caller's own key no list has to be read first.
        let own_key = action.name == "iam:GetAccessKeyLastUsed"
            && !self.signed.caller.credentials().is_temporary()
            && subject == self.scope.own();
        let user = subject.map(|arn| &arn.name).filter(|_| !own_key);
        match self.signed.caller.probe(action.name, user).await {
            Right::Allowed => Standing::Allowed,
            Right::Denied { reason } => Standing::Denied { reason },
            Right::Unknown { why } => Standing::Unknown { why },
        }
    }
}
