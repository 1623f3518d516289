//! The path of a call through the sandbox: fault, signature, policy, action, log.
//!
//! Invariant: the lock is never held across a wait, and a call is carried out whole or not at all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::actions::{self, Action, Answer, Context};
use crate::clock::Ticker;
use crate::failure::Failure;
use crate::fault::FaultKind;
use crate::log::{Call, Outcome};
use crate::policy::Document;
use crate::query::Parameters;
use crate::sigv4::Claim;
use crate::state::{Account, Device, Identity, State};
use crate::totp;
use crate::xml;

/// A request off the wire.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path_and_query: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    pub(crate) source_ip: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What goes back on the wire.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Message {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Bytes,
    },
    /// The connection breaks.
    Nothing,
}

/// A call that will be carried out later.
#[derive(Debug)]
pub(crate) struct Delayed {
    until: Timestamp,
    action: &'static Action,
    parameters: Parameters,
    caller: Caller,
    request_id: String,
}

/// Who makes a call, and with what.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) account: String,
    pub(crate) identity: Identity,
    pub(crate) key_id: String,
    pub(crate) region: String,
    pub(crate) source_ip: String,
    pub(crate) user_agent: String,
    /// Set for temporary credentials: when they were issued, and when the MFA code was given.
    pub(crate) session: Option<(Timestamp, Option<Timestamp>)>,
    /// What the session was narrowed to.
    pub(crate) session_policy: Option<Document>,
}

impl Caller {
    pub(crate) fn arn(&self, account: &Account) -> String {
        match &self.identity {
            Identity::Root => account.arn("root"),
            Identity::User(name) => {
                account.users.get(name).map_or_else(|| account.arn(&format!("user/{name}")), |user| user.arn(account))
            }
            Identity::Role { role, session } => {
                format!("arn:{}:sts::{}:assumed-role/{role}/{session}", account.partition.as_str(), account.id)
            }
        }
    }

    /// `aws:userid`.
    pub(crate) fn unique_id(&self, account: &Account) -> String {
        match &self.identity {
            Identity::Root => account.id.clone(),
            Identity::User(name) => account.users.get(name).map_or_else(String::new, |user| user.id.clone()),
            Identity::Role { role, session } => {
                account.roles.get(role).map_or_else(String::new, |role| format!("{}:{session}", role.id))
            }
        }
    }
}

/// The sandbox behind its handles.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) clock: Arc<Ticker>,
    state: Mutex<State>,
}

impl Service {
    pub(crate) fn new(clock: Arc<Ticker>, state: State) -> Self {
        Self { clock, state: Mutex::new(state) }
    }

    /// The state, with everything carried out that was due.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        while let Some(index) = state.delayed.iter().position(|delayed| delayed.until <= now) {
            let delayed = state.delayed.remove(index);
            delayed.carry_out(&mut state);
        }
        state
    }

    /// The code that the first device of this kind shows now.
    pub(crate) fn mfa_code(&self, wanted: impl Fn(&Device) -> bool) -> Option<String> {
        let step = self.clock.now().as_second() / totp::STEP_SECONDS;
        let state = self.state();
        let mut devices = state.accounts.values().flat_map(|account| account.devices.values());
        let device = devices.find(|device| wanted(device))?;
        // A code works once: the next step's is accepted early, as from a device whose clock is a little ahead.
        let step = if device.last_step == Some(step) { step + 1 } else { step };
        Some(totp::code(&device.seed, step))
    }

    pub(crate) async fn answer(&self, request: Request) -> Reply {
        let wire = Wire::read(&request);
        let (fault, latency) = {
            let key_id = wire.claim.as_ref().ok().map(|claim| claim.key_id.as_str());
            let mut state = self.state();
            let struck = state.faults.strike(&wire.action_name, key_id);
            let (latency, share) = (state.options.latency, state.options.throttled_share);
            let throttled = struck.is_none() && state.mint.chance(share);
            (struck.or(throttled.then_some(FaultKind::Throttle)), latency)
        };
        if !latency.is_zero() {
            self.clock.pass(latency).await;
        }
        if let Some(FaultKind::Slow(duration)) = &fault {
            self.clock.pass(*duration).await;
        }
        let mut state = self.state();
        let now = self.clock.now();
        Exchange { request: &request, wire, now, request_id: state.mint.uuid() }.run(&mut state, fault)
    }
}

impl Delayed {
    fn carry_out(self, state: &mut State) {
        let mut context = Context::new(state, &self.caller, &self.parameters, self.until);
        let result = (self.action.run)(&mut context);
        let (resources, response) = (context.resources, context.response);
        let logged = state.log.iter_mut().rev().find(|call| call.request_id == self.request_id);
        if let Some(call) = logged {
            call.at = self.until;
            call.resources = resources;
            call.response = response;
            call.outcome = match result {
                Ok(_) => Outcome::LostAfterCommit,
                Err(_) => Outcome::LostBeforeCommit,
            };
        }
    }
}

/// What a request says before anybody has checked it.
struct Wire {
    is_json: bool,
    action_name: String,
    action: Option<&'static Action>,
    version: String,
    parameters: Parameters,
    claim: Result<Claim, Failure>,
}

impl Wire {
    fn read(request: &Request) -> Self {
        let claim = Claim::read(request);
        if let Some(target) = request.header("x-amz-target") {
            let action_name = target.rsplit('.').next().unwrap_or(target).to_owned();
            let action = actions::find(&action_name).filter(|action| action.service.speaks_json());
            let parameters = Parameters::parse("", b"");
            return Self { is_json: true, action_name, action, version: String::new(), parameters, claim };
        }
        let query = request.path_and_query.split_once('?').map_or("", |(_, query)| query);
        let parameters = Parameters::parse(query, &request.body);
        let action_name = parameters.find("Action").unwrap_or_default().to_owned();
        let action = actions::find(&action_name).filter(|action| !action.service.speaks_json());
        let version = parameters.find("Version").unwrap_or_default().to_owned();
        Self { is_json: false, action_name, action, version, parameters, claim }
    }
}

/// What an action leaves for the log: what it touched, and its answer without secrets.
type Effects = (Vec<(String, String)>, Option<Value>);

/// One request on its way through.
struct Exchange<'a> {
    request: &'a Request,
    wire: Wire,
    now: Timestamp,
    request_id: String,
}

impl Exchange<'_> {
    fn run(&self, state: &mut State, fault: Option<FaultKind>) -> Reply {
        let refused = match fault {
            Some(FaultKind::LostAnswerBeforeCommit) => {
                self.log(state, None, Outcome::LostBeforeCommit, None);
                return Reply::Nothing;
            }
            Some(FaultKind::Throttle) => Some(Failure::new(400, "Throttling", "Rate exceeded")),
            Some(FaultKind::ServerError { status, committed: false }) => Some(server_error(status)),
            Some(FaultKind::InvalidClientTokenId) => Some(Failure::invalid_client_token_id()),
            Some(FaultKind::AccessDenied) => Some(Failure::denied("Access denied by a fault of the sandbox.")),
            Some(FaultKind::Refuse { status, ref code, ref message }) => Some(Failure::new(status, code, message)),
            _ => None,
        };
        if let Some(failure) = refused {
            return self.refuse(state, None, failure);
        }
        let (action, caller) = match self.authenticate(state) {
            Ok(known) => known,
            Err(failure) => return self.refuse(state, None, failure),
        };
        if let Some(FaultKind::DelayedCommit(duration)) = fault {
            let until = self.now + duration;
            self.log(state, Some(&caller), Outcome::Delayed { until }, None);
            let request_id = self.request_id.clone();
            let parameters = self.wire.parameters.clone();
            state.delayed.push(Delayed { until, action, parameters, caller, request_id });
            return Reply::Nothing;
        }
        let mut context = Context::new(state, &caller, &self.wire.parameters, self.now);
        context.json = if self.wire.is_json { serde_json::from_slice(&self.request.body).ok() } else { None };
        let result = (action.run)(&mut context);
        let effects = (context.resources, context.response);
        let answer = match result {
            Ok(answer) => answer,
            Err(failure) => return self.refuse(state, Some(&caller), failure),
        };
        let told = matches!(fault, None | Some(FaultKind::Slow(_)));
        let outcome = if told { Outcome::Done } else { Outcome::LostAfterCommit };
        self.log(state, Some(&caller), outcome, Some(effects));
        let body = match answer {
            Answer::Xml(result) => {
                xml::answer(action.name, action.service.namespace(), result.as_deref(), &self.request_id)
            }
            Answer::Json(value) => value.to_string(),
        };
        match fault {
            Some(FaultKind::LostAnswerAfterCommit) => Reply::Nothing,
            Some(FaultKind::ServerError { status, .. }) => self.render(&server_error(status)),
            Some(FaultKind::TruncatedAnswer) => self.message(200, body.as_bytes()[..body.len() / 2].to_vec()),
            Some(FaultKind::Garbage(garbage)) => self.message(200, garbage),
            _ => self.message(200, body.into_bytes()),
        }
    }

    /// Who is calling what. Known keys leave a trace of their use.
    fn authenticate(&self, state: &mut State) -> Result<(&'static Action, Caller), Failure> {
        let claim = self.wire.claim.as_ref().map_err(Clone::clone)?;
        let action = self.wire.action.ok_or_else(|| {
            let name = &self.wire.action_name;
            Failure::new(
                400,
                "InvalidAction",
                format!("Could not find operation {name} for version {}", self.wire.version),
            )
        })?;
        let now = self.now;
        let (caller, secret) = identify(state, claim, now).ok_or_else(Failure::invalid_client_token_id)?;
        let service = action.service.signing_name();
        if claim.service != service {
            return Err(Failure::signature(format!("Credential should be scoped to correct service: '{service}'. ")));
        }
        let host = self.request.header("host").unwrap_or_default();
        let partition = state.account(&caller.account)?.partition;
        if host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn") {
            // Each partition has its own front doors, which do not know the others' keys.
            if !partition.owns_host(host) {
                return Err(Failure::invalid_client_token_id());
            }
            if service == "iam" && claim.region != partition.iam_region() {
                return Err(Failure::signature("Credential should be scoped to a valid region. "));
            }
        }
        claim.verify(self.request, &secret, now)?;
        if let Some(session) = state.sessions.get(&claim.key_id)
            && now >= session.expires_at
        {
            return Err(Failure::new(403, "ExpiredToken", "The security token included in the request is expired"));
        }
        let owner = state.long_term.get(&claim.key_id).cloned();
        if let Some((account, user)) = owner
            && let Ok(principal) = state.account_mut(&account)?.principal_mut(user.as_deref())
            && let Ok(key) = principal.key_mut(&claim.key_id)
        {
            key.record(now, service, &claim.region);
        }
        actions::check_session(action, &caller)?;
        let (user_agent, source_ip) = (self.user_agent(), self.request.source_ip.clone());
        Ok((action, Caller { user_agent, source_ip, ..caller }))
    }

    fn user_agent(&self) -> String {
        self.request.header("user-agent").unwrap_or_default().to_owned()
    }

    fn refuse(&self, state: &mut State, caller: Option<&Caller>, failure: Failure) -> Reply {
        let outcome = Outcome::Refused { status: failure.status, code: failure.code.clone() };
        self.log(state, caller, outcome, None);
        self.render(&failure)
    }

    fn render(&self, failure: &Failure) -> Reply {
        if self.wire.is_json {
            let (code, status) = failure.json_code();
            let body = json!({"__type": code, "message": failure.message}).to_string();
            return self.message(status, body.into_bytes());
        }
        let namespace = match (&self.wire.claim, self.wire.action) {
            (_, Some(action)) => action.service.namespace(),
            (Ok(claim), None) if claim.service == "sts" => actions::Service::Sts.namespace(),
            _ => actions::Service::Iam.namespace(),
        };
        let fault = if failure.status >= 500 { "Receiver" } else { "Sender" };
        let body = xml::refusal(namespace, fault, &failure.code, &failure.message, &self.request_id);
        self.message(failure.status, body.into_bytes())
    }

    fn message(&self, status: u16, body: Vec<u8>) -> Reply {
        let content = if self.wire.is_json { "application/x-amz-json-1.1" } else { "text/xml" };
        let headers = vec![
            ("content-type", content.to_owned()),
            ("x-amzn-requestid", self.request_id.clone()),
            // The sandbox's time, not the machine's: callers measure their skew by it.
            ("date", self.now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()),
        ];
        Reply::Message { status, headers, body: body.into() }
    }

    fn log(&self, state: &mut State, caller: Option<&Caller>, outcome: Outcome, effects: Option<Effects>) {
        let account = caller.and_then(|caller| state.accounts.get(&caller.account));
        let principal_arn = caller.zip(account).map(|(caller, account)| caller.arn(account));
        let identity = caller.zip(account).map_or(Value::Null, |(caller, account)| trail_identity(caller, account));
        let user_name = caller.and_then(|caller| match &caller.identity {
            Identity::User(name) => Some(name.clone()),
            Identity::Root | Identity::Role { .. } => None,
        });
        let (resources, response) = effects.unwrap_or_default();
        let claim = self.wire.claim.as_ref().ok();
        let service = self.wire.action.map(|action| action.service.signing_name().to_owned());
        let call = Call {
            at: self.now,
            service: service.or_else(|| claim.map(|claim| claim.service.clone())).unwrap_or_default(),
            action: self.wire.action_name.clone(),
            read_only: self.wire.action.is_some_and(|action| action.read_only),
            access_key_id: claim.map(|claim| claim.key_id.clone()),
            account: caller.map(|caller| caller.account.clone()),
            user_name,
            principal_arn,
            user_agent: self.user_agent(),
            sdk_user_agent: self.request.header("x-amz-user-agent").map(str::to_owned),
            source_ip: self.request.source_ip.clone(),
            region: claim.map(|claim| claim.region.clone()).unwrap_or_default(),
            parameters: self.wire.parameters.without_secrets(),
            resources,
            outcome,
            request_id: self.request_id.clone(),
            event_id: state.mint.uuid(),
            response,
            identity,
        };
        state.log.push(call);
    }
}

/// The caller behind a key id and the secret to check against. `None`: unknown, inactive, or not known here yet.
fn identify(state: &mut State, claim: &Claim, now: Timestamp) -> Option<(Caller, String)> {
    let caller = |account: &str, identity, session| Caller {
        account: account.to_owned(),
        identity,
        key_id: claim.key_id.clone(),
        region: claim.region.clone(),
        source_ip: String::new(),
        user_agent: String::new(),
        session,
        session_policy: None,
    };
    let long_term = |user: Option<&str>| user.map_or(Identity::Root, |name| Identity::User(name.to_owned()));
    if let Some(session) = state.sessions.get(&claim.key_id) {
        let is_alive = match &session.identity {
            Identity::Root => true,
            Identity::User(name) => state.accounts.get(&session.account)?.users.contains_key(name),
            Identity::Role { role, .. } => state.accounts.get(&session.account)?.roles.contains_key(role),
        };
        if !is_alive || claim.session_token.as_deref() != Some(session.token.as_str()) {
            return None;
        }
        let facts = Some((session.issued_at, session.mfa_at));
        let caller = caller(&session.account, session.identity.clone(), facts);
        return Some((Caller { session_policy: session.policy.clone(), ..caller }, session.secret.clone()));
    }
    if claim.session_token.is_some() {
        return None;
    }
    let (account, user, key) = if let Some((account, user)) = state.long_term.get(&claim.key_id) {
        let key = state.accounts.get(account)?.principal(user.as_deref()).ok()?.key(&claim.key_id).ok()?;
        (account.clone(), user.clone(), key.clone())
    } else {
        state.ghosts.get(&claim.key_id)?.clone()
    };
    if !state.options.propagation.admits(&key, now, &mut state.mint) {
        return None;
    }
    // The user of a ghost may be gone; IAM's front door would not notice for a while either, but nothing follows.
    state.accounts.get(&account)?.principal(user.as_deref()).ok()?;
    Some((caller(&account, long_term(user.as_deref()), None), key.secret))
}

fn server_error(status: u16) -> Failure {
    match status {
        503 => {
            Failure::new(503, "ServiceUnavailable", "The request has failed due to a temporary failure of the server.")
        }
        other => Failure::new(
            other,
            "InternalFailure",
            "The request processing has failed because of an unknown error, exception or failure.",
        ),
    }
}

/// CloudTrail's `userIdentity`.
fn trail_identity(caller: &Caller, account: &Account) -> Value {
    let (kind, name) = match &caller.identity {
        Identity::Root => ("Root", None),
        Identity::User(name) => ("IAMUser", Some(name)),
        Identity::Role { .. } => ("AssumedRole", None),
    };
    let mut identity = json!({
        "type": kind,
        "principalId": caller.unique_id(account),
        "arn": caller.arn(account),
        "accountId": account.id,
        "accessKeyId": caller.key_id,
    });
    if let Some(name) = name {
        identity["userName"] = json!(name);
    }
    if let Some((issued_at, mfa_at)) = caller.session {
        identity["sessionContext"] = json!({"attributes": {
            "creationDate": crate::clock::iso8601(issued_at),
            "mfaAuthenticated": mfa_at.is_some().to_string(),
        }});
        // <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>
        if let Identity::Role { role, .. } = &caller.identity
            && let Some(role) = account.roles.get(role)
        {
            identity["sessionContext"]["sessionIssuer"] = json!({
                "type": "Role",
                "principalId": role.id,
                "arn": account.arn(&format!("role{}{}", role.path, role.name)),
                "accountId": account.id,
                "userName": role.name,
            });
        }
    }
    identity
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, Sandbox};

    fn request(body: &'static [u8], headers: &[(&str, &str)]) -> Request {
        Request {
            method: "POST".to_owned(),
            path_and_query: "/".to_owned(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: body.into(),
            source_ip: "127.0.0.1".to_owned(),
        }
    }

    /// Whatever arrives, an answer with a reason goes back.
    #[tokio::test]
    async fn malformed_requests_are_refused_by_name() {
        let start = "2026-01-01T00:00:00Z".parse().unwrap();
        let sandbox = Sandbox::builder().seed(1).clock(Clock::Manual(start)).build();
        let alice = sandbox.add_user("alice", "/").unwrap();
        let key = alice.add_access_key(start).unwrap();
        let signed = |date: &str, scope: &str, headers: &str| {
            format!("AWS4-HMAC-SHA256 Credential={}/{date}/{scope}, SignedHeaders={headers}, Signature=00", key.id)
        };
        let whole = signed("20260101", "us-east-1/iam/aws4_request", "host;x-amz-date");
        let (stamp, host) = ("20260101T000000Z", ("host", "127.0.0.1:1"));
        let cases: Vec<(&str, &str, &'static [u8], &str)> = vec![
            ("", stamp, b"Action=GetUser", "IncompleteSignature"),
            ("Basic eDp5", stamp, b"Action=GetUser", "IncompleteSignature"),
            ("AWS4-HMAC-SHA256", stamp, b"Action=GetUser", "IncompleteSignature"),
            ("AWS4-HMAC-SHA256 Credential=a/b", stamp, b"Action=GetUser", "IncompleteSignature"),
            (&whole, "yesterday", b"Action=GetUser", "IncompleteSignature"),
            (&whole, "\u{e4}\u{e4}", b"Action=GetUser", "IncompleteSignature"),
            (&whole, stamp, b"", "InvalidAction"),
            (&whole, stamp, b"Action=%ff%fe", "InvalidAction"),
            (&whole, stamp, b"\xff\x00&&==", "InvalidAction"),
            (&whole, stamp, b"Action=LookupEvents", "InvalidAction"),
            (&whole, stamp, b"Action=GetCallerIdentity", "SignatureDoesNotMatch"),
            (&whole, stamp, b"Action=GetUser", "SignatureDoesNotMatch"),
            (&whole, "20260101T000600Z", b"Action=GetUser", "SignatureDoesNotMatch"),
        ];
        let other_day = signed("20251231", "us-east-1/iam/aws4_request", "host;x-amz-date");
        let no_host = signed("20260101", "us-east-1/iam/aws4_request", "x-amz-date");
        let more = [(other_day.as_str(), "does not match YYYYMMDD"), (no_host.as_str(), "'Host' must be")];
        let answer = async |request| match sandbox.service().answer(request).await {
            Reply::Message { status, body, .. } => (status, String::from_utf8(body.to_vec()).unwrap()),
            Reply::Nothing => panic!("no answer"),
        };
        for (authorization, date, body, code) in cases {
            let headers = [host, ("authorization", authorization), ("x-amz-date", date)];
            let (status, answer) = answer(request(body, &headers)).await;
            assert!(answer.contains(&format!("<Code>{code}</Code>")), "{authorization} {date} {body:?}: {answer}");
            assert!((400..500).contains(&status), "{status}");
        }
        for (authorization, words) in more {
            let headers = [host, ("authorization", authorization), ("x-amz-date", stamp)];
            let (_, answer) = answer(request(b"Action=GetUser", &headers)).await;
            assert!(answer.contains(words), "{answer}");
        }
        let (status, answer) = answer(request(b"Action=GetUser", &[])).await;
        assert!(status == 403 && answer.contains("MissingAuthenticationToken"), "{answer}");
    }

    /// Services that speak JSON have their own names for the same refusals.
    #[tokio::test]
    async fn json_refusals_are_json() {
        let sandbox = Sandbox::builder().seed(1).build();
        let target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
        let reply = sandbox.service().answer(request(b"{}", &[("x-amz-target", target)])).await;
        let Reply::Message { status, headers, body } = reply else { panic!("no answer") };
        assert_eq!(status, 400);
        assert!(headers.contains(&("content-type", "application/x-amz-json-1.1".to_owned())));
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["__type"], "MissingAuthenticationTokenException");
    }
}
