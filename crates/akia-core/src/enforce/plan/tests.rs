//! Plans over accounts whose keys nobody has ever used, each carried out as a run would.

use super::*;
use crate::enforce::{Canary, CaseEvent, CaseRecord, Exemption, Facts, Freeze, FreezeTime, KeyFacts, Proof, Told};
use crate::estate::{Account, Console, Details, Root};
use crate::key::LastUsed;
use crate::rule::Scope;

const START: Timestamp = Timestamp::constant(1_767_225_600, 0);

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(days * 24)
}

/// Accounts, what is agreed on, and what has been done.
struct Scene {
    estates: Vec<Estate>,
    policy: EnforcePolicy,
    cases: Vec<Case>,
    now: Timestamp,
    stopped: Option<&'static str>,
    only: BTreeSet<AccountId>,
    seen: BTreeMap<AccessKeyId, SeenUse>,
    drawn: u64,
}

impl Scene {
    /// Accounts 1, 2, … with so many users each, one idle key a user.
    fn new(users: &[usize]) -> Self {
        let estates = users.iter().enumerate().map(|(index, users)| {
            let account = account(index);
            Estate {
                account: Account::bare(account.clone()),
                as_of: START,
                root: Known::Told(Root { keys: Vec::new(), password_used_at: None, mfa_active: true }),
                users: (0..*users).map(|number| user(&account, number)).collect(),
                gaps: BTreeSet::new(),
            }
        });
        let estates = estates.collect();
        let policy = EnforcePolicy { caps: Caps { percent: 100, ..Caps::default() }, ..EnforcePolicy::default() };
        Self {
            estates,
            policy,
            cases: Vec::new(),
            now: START,
            stopped: None,
            only: BTreeSet::new(),
            seen: BTreeMap::new(),
            drawn: 0,
        }
    }

    /// An audit of now, so many days later.
    fn pass(&mut self, after: i64) -> &mut Self {
        self.now += days(after);
        self.estates.iter_mut().for_each(|estate| estate.as_of = self.now);
        self
    }

    fn try_plan(&mut self, at: Timestamp) -> Result<Plan, PlanError> {
        let active = self.estates.iter().flat_map(|estate| &estate.users).flat_map(|user| &user.keys);
        let active_keys = active.filter(|key| key.status == KeyStatus::Active).count();
        let input = PlanInput {
            evidence: Evidenced { audit: 1, at, accounts: self.estates.len(), active_keys },
            estates: &self.estates,
            audit: &AuditSettings::default(),
            policy: &self.policy,
            stopped: self.stopped,
            cases: &self.cases,
            seen: &self.seen,
            only_accounts: &self.only,
            by: "ben",
            now: self.now,
        };
        plan(&input, || {
            self.drawn += 1;
            CaseId::from_bits(self.drawn)
        })
    }

    fn plan(&mut self) -> Plan {
        self.try_plan(self.now).unwrap()
    }

    /// Plans, and carries all of it out.
    fn run(&mut self) -> Plan {
        let plan = self.plan();
        for step in &plan.steps {
            self.carry_out(&plan, step);
        }
        plan
    }

    fn carry_out(&mut self, plan: &Plan, step: &Step) {
        let now = self.now;
        let record = |event| CaseRecord { at: now, event };
        let at = self.cases.iter().position(|case| case.opening().case == step.case).unwrap_or_else(|| {
            let opening = Box::new(step.opening(plan, "ben"));
            self.cases.push(Case::begin(&record(CaseEvent::Opened { opening })).unwrap());
            self.cases.len() - 1
        });
        let subject = &step.subject;
        let estate = self.estates.iter_mut().find(|estate| estate.account.id == subject.account).unwrap();
        let user = estate.users.iter_mut().find(|user| user.arn == subject.user).unwrap();
        let audit = AuditSettings::default();
        let looked = review(&estate.account, user, subject, &audit, &self.policy, self.stopped, now);
        let key = user.keys.iter().find(|key| key.id.as_ref() == Some(&subject.key));
        let facts = Facts {
            user_id: Known::Told(Some(subject.user_id.clone())),
            key: Known::Told(key.map(|key| KeyFacts { status: key.status, created_at: subject.key_created_at })),
            last_used: LastUsed::Never,
            reactivated_at: None,
        };
        let case = &mut self.cases[at];
        let intended = |act| CaseEvent::Intended { act, by: "ben".to_owned(), reason: None };
        let delivered = |told| CaseEvent::NoticeDelivered {
            told,
            notice: "n".to_owned(),
            deadline: None,
            proofs: vec![Proof { channel: "mail".to_owned(), receipt: "1".to_owned(), at: now }],
        };
        let mut events = vec![CaseEvent::Looked { facts: Box::new(facts), review: Box::new(Known::Told(looked)) }];
        match step.kind {
            // Before a deletion there is a second look: the tests end before it.
            StepKind::Check | StepKind::Delete => {}
            StepKind::Announce => events.extend([intended(Act::Announce), delivered(Told::Announced)]),
            StepKind::Remind => events.extend([intended(Act::Remind), delivered(Told::Reminded)]),
            StepKind::TellDeactivated => {
                events.extend([intended(Act::TellDeactivated), delivered(Told::Deactivated)]);
            }
            StepKind::Deactivate => {
                events.extend([intended(Act::Deactivate), CaseEvent::KeyDeactivated { request_id: None }]);
                user.keys.iter_mut().for_each(|key| key.status = KeyStatus::Inactive);
            }
        }
        for event in events {
            case.apply(&record(event)).unwrap();
        }
    }

    /// Runs until every owner is reminded, and the day on which keys are to be deactivated has come.
    fn due(mut self) -> Self {
        self.run();
        self.pass(14).run();
        self.pass(16);
        self
    }

    fn case_of(&mut self, user: &str) -> &mut Case {
        self.cases.iter_mut().find(|case| case.opening().subject.user.name.as_str() == user).unwrap()
    }
}

fn account(index: usize) -> AccountId {
    format!("{:012}", 111_111_111_111_u64 * (index as u64 + 1)).parse().unwrap()
}

fn user(account: &AccountId, number: usize) -> User {
    let name = format!("u{number}");
    let digits = format!("{}{number:04}", &account.as_str()[..1]).replace('0', "A").replace('1', "B").replace('8', "C");
    let key = Key {
        id: Some(format!("AKIAIOSFODNNEXA{digits:A>5}").replace('9', "D").parse().unwrap()),
        status: KeyStatus::Active,
        created_at: Known::Told(START - days(400)),
        reactivated_at: None,
        last_used: LastUsed::Never,
    };
    let details = Details { id: Some(format!("AIDA{account}{number:05}").parse().unwrap()), ..Details::default() };
    User {
        arn: format!("arn:aws:iam::{account}:user/{name}").parse().unwrap(),
        created_at: None,
        console: Console::Without,
        mfa_active: false,
        keys: vec![key],
        details: Known::Told(details),
        service_credentials: Known::Told(Vec::new()),
    }
}

/// What would be done, and to whom.
fn steps(plan: &Plan) -> Vec<(StepKind, &str)> {
    plan.steps.iter().map(|step| (step.kind, step.subject.user.name.as_str())).collect()
}

fn whys(plan: &Plan) -> Vec<&str> {
    plan.held.iter().map(|held| held.why.as_str()).collect()
}

#[test]
fn a_key_is_planned_for_stage_by_stage_and_waits_in_between() {
    let mut scene = Scene::new(&[1]);
    let first = scene.run();
    assert_eq!(steps(&first), [(StepKind::Announce, "u0")]);
    assert_eq!(first.steps[0].then, Some((Act::Deactivate, START + days(30))));
    for (after, expected) in [
        (13, vec![]),
        (1, vec![(StepKind::Remind, "u0")]),
        (15, vec![]),
        (1, vec![(StepKind::Deactivate, "u0")]),
        (0, vec![(StepKind::TellDeactivated, "u0")]),
    ] {
        let plan = scene.pass(after).run();
        assert_eq!(steps(&plan), expected, "after {after} days");
        assert_eq!(plan.waiting, usize::from(expected.is_empty()));
    }
    scene.pass(29);
    assert!(!scene.plan().steps.iter().any(|step| step.kind == StepKind::Delete), "the soak is not over");
    assert_eq!(steps(&scene.pass(1).run()), [(StepKind::Delete, "u0")]);
}

#[test]
fn a_plan_stands_on_an_audit_that_is_neither_old_nor_of_the_future() {
    let mut scene = Scene::new(&[1]);
    assert!(matches!(scene.try_plan(START - SignedDuration::from_hours(25)), Err(PlanError::Stale { .. })));
    assert!(matches!(scene.try_plan(START + SignedDuration::from_mins(6)), Err(PlanError::FromFuture { .. })));
    let plan = scene.plan();
    assert_eq!((plan.expires_at, plan.policy), (START + SignedDuration::from_hours(24), scene.policy.digest()));
}

#[test]
fn what_is_spared_or_not_known_is_held_with_its_reason() {
    let held = |change: &dyn Fn(&mut Scene)| {
        let mut scene = Scene::new(&[1]);
        change(&mut scene);
        let plan = scene.plan();
        assert_eq!(steps(&plan), []);
        whys(&plan).join("; ")
    };
    assert_eq!(held(&|scene| scene.policy.protected.users = vec!["u*".to_owned()]), "the user is protected");
    assert_eq!(held(&|scene| scene.stopped = Some("incident")), "enforcement is switched off: incident");
    assert!(held(&|scene| scene.policy.is_enabled = false).contains("enabled is false"));
    assert!(held(&|scene| scene.estates[0].users[0].keys[0].id = None).contains("is not known"));
    let exempt = |scene: &mut Scene| {
        let expires = START + days(10);
        scene.policy.exemptions = vec![exemption("u0", expires)];
    };
    assert!(held(&exempt).starts_with("exempt: "));
    assert_eq!(held(&|scene| scene.policy.base.rules.clear()), "", "no rule leads to action");
}

/// Logs have it that a key was used so many days ago.
fn seen(scene: &Scene, days_ago: i64) -> SeenUse {
    let users = vec![crate::usage::Use {
        ip: "203.0.113.7".to_owned(),
        agent: "batch-job/1.4".to_owned(),
        service: "s3".to_owned(),
        calls: 3,
        last: scene.now - days(days_ago),
    }];
    SeenUse {
        at: scene.now - days(days_ago),
        service: "s3".to_owned(),
        region: "eu-west-1".to_owned(),
        calls: 3,
        users,
    }
}

#[test]
fn a_key_that_logs_show_in_use_is_held_and_named_by_whom() {
    let mut scene = Scene::new(&[1]).due();
    let before = scene.plan();
    let [(StepKind::Deactivate, _)] = steps(&before)[..] else { panic!("{before:?}") };
    let key = scene.cases[0].opening().subject.key.clone();
    // What is older than the policy's quiet time is no use, and never the other way round.
    scene.seen.insert(key.clone(), seen(&scene, 15));
    assert_eq!(steps(&scene.plan()), steps(&before));
    scene.seen.insert(key, seen(&scene, 13));
    let held = scene.plan();
    assert_eq!(steps(&held), []);
    let why = whys(&held)[0];
    assert!(why.contains("the key is in use") && why.contains("from 203.0.113.7, with batch-job/1.4, for s3"), "{why}");
    scene.policy.base.in_use = super::super::policy::InUse::Deactivate;
    assert_eq!(steps(&scene.plan()), steps(&before));
}

fn exemption(user: &str, expires: Timestamp) -> Exemption {
    Exemption {
        account: account(0),
        user: Some(user.parse().unwrap()),
        key: None,
        owner: "ann".to_owned(),
        reason: "billing".to_owned(),
        ticket: "T-1".to_owned(),
        approver: "ben".to_owned(),
        granted: START,
        expires,
    }
}

#[test]
fn no_more_keys_are_changed_than_the_caps_allow_and_the_rest_comes_the_next_day() {
    let mut scene = Scene::new(&[3]);
    scene.policy.caps.keys = 2;
    let mut scene = scene.due();
    let plan = scene.run();
    assert_eq!(plan.steps.iter().filter(|step| step.kind == StepKind::Deactivate).count(), 2);
    assert_eq!(whys(&plan), ["2 keys within 1d are enough (caps.keys)"]);
    let same_day = scene.run();
    assert!(!same_day.steps.iter().any(|step| step.kind == StepKind::Deactivate), "{:?}", steps(&same_day));
    let next_day = scene.pass(1).run();
    assert_eq!(next_day.steps.iter().filter(|step| step.kind == StepKind::Deactivate).count(), 1);

    let mut scene = Scene::new(&[2, 1]);
    scene.policy.caps.keys_of_account = 1;
    let plan = scene.due().run();
    assert_eq!(plan.steps.iter().filter(|step| step.kind == StepKind::Deactivate).count(), 2, "one of each account");
    assert_eq!(whys(&plan), ["1 keys of the account within 1d are enough (caps.keys-of-account)"]);
}

#[test]
fn where_more_than_a_share_of_all_keys_would_go_none_does() {
    let mut scene = Scene::new(&[4]);
    scene.policy.caps.percent = 50;
    let mut scene = scene.due();
    let plan = scene.plan();
    assert!(plan.steps.is_empty() && whys(&plan).iter().all(|why| why.contains("none is (caps.percent)")), "{plan:?}");
    assert_eq!(plan.held.len(), 4);
    // Half of them are spared: what is left is no more than half.
    scene.policy.exemptions = ["u0", "u1"].map(|user| exemption(user, scene.now + days(1))).to_vec();
    let plan = scene.plan();
    assert_eq!(plan.steps.iter().filter(|step| step.kind == StepKind::Deactivate).count(), 2, "{:?}", steps(&plan));
}

#[test]
fn in_a_freeze_notices_go_out_and_no_key_is_changed() {
    let frozen = |scene: &mut Scene| {
        let time = FreezeTime::Between { from: scene.now - days(1), to: scene.now + days(1) };
        scene.policy.freezes = vec![Freeze { time, reason: "holidays".to_owned() }];
    };
    let mut scene = Scene::new(&[1]);
    frozen(&mut scene);
    assert_eq!(steps(&scene.plan()), [(StepKind::Announce, "u0")]);
    let mut scene = Scene::new(&[1]).due();
    frozen(&mut scene);
    let plan = scene.plan();
    assert!(plan.steps.is_empty() && whys(&plan)[0].contains("holidays"), "{plan:?}");
}

#[test]
fn the_canary_comes_first_and_holds_the_rest_where_it_was_undone() {
    let with_canary = || {
        let mut scene = Scene::new(&[1, 1]);
        let scope = Scope { accounts: vec![account(0)], ..Scope::default() };
        scene.policy.canary = Some(Canary { scope, wait: days(40) });
        scene.due()
    };
    let deactivates = |plan: &Plan| -> Vec<AccountId> {
        let changes = plan.steps.iter().filter(|step| step.kind == StepKind::Deactivate);
        changes.map(|step| step.subject.account.clone()).collect()
    };
    let mut scene = with_canary();
    let plan = scene.run();
    assert_eq!(deactivates(&plan), [account(0)]);
    assert!(whys(&plan)[0].starts_with("the canary comes first, until"), "{:?}", whys(&plan));
    assert_eq!(deactivates(&scene.pass(10).plan()), [account(1)], "the policy was applied there for 40 days");

    let mut scene = with_canary();
    scene.run();
    // Somebody activates the key of the canary again, and a look shows it.
    let now = scene.now + days(1);
    scene.estates[0].users[0].keys[0].status = KeyStatus::Active;
    scene.pass(1);
    let plan = scene.run();
    assert!(steps(&plan).contains(&(StepKind::Check, "u0")), "{:?}", steps(&plan));
    assert!(scene.case_of("u0").is_closed() && scene.now == now);
    let plan = scene.pass(9).plan();
    assert_eq!(deactivates(&plan), []);
    assert!(whys(&plan).iter().any(|why| why.starts_with("in the canary, key")), "{:?}", whys(&plan));
}

#[test]
fn a_policy_that_is_changed_begins_its_canary_anew() {
    let mut scene = Scene::new(&[1, 1]);
    let scope = Scope { accounts: vec![account(0)], ..Scope::default() };
    scene.policy.canary = Some(Canary { scope, wait: days(20) });
    let mut scene = scene.due();
    scene.policy.plan_age = SignedDuration::from_hours(12);
    let plan = scene.plan();
    assert!(whys(&plan).iter().any(|why| why.contains("it shows nothing")), "{:?}", whys(&plan));
}

#[test]
fn a_key_that_is_gone_since_the_audit_has_no_other_case() {
    let mut scene = Scene::new(&[1]);
    scene.run();
    let case = scene.case_of("u0");
    let facts = Facts {
        user_id: Known::Told(Some(case.opening().subject.user_id.clone())),
        key: Known::Told(None),
        last_used: LastUsed::Never,
        reactivated_at: None,
    };
    let review = Box::new(Known::Unknown { reason: "the key was not seen".to_owned() });
    let event = CaseEvent::Looked { facts: Box::new(facts), review };
    case.apply(&CaseRecord { at: START + SignedDuration::from_mins(1), event }).unwrap();
    assert!(case.is_closed());
    scene.now += SignedDuration::from_mins(2);
    let plan = scene.plan();
    assert_eq!((steps(&plan), plan.held.len()), (vec![], 0), "the audit is of before");
    assert_eq!(steps(&scene.pass(1).run()), [(StepKind::Announce, "u0")], "a later audit shows it again");
}

#[test]
fn accounts_that_are_not_meant_or_were_not_read_are_left_alone() {
    let mut scene = Scene::new(&[1, 1]);
    scene.only = [account(1)].into();
    let plan = scene.run();
    assert_eq!(plan.steps.iter().map(|step| step.subject.account.clone()).collect::<Vec<_>>(), [account(1)]);
    scene.only.clear();
    scene.estates.pop();
    let plan = scene.plan();
    assert!(whys(&plan).iter().any(|why| why.contains("was not read by the audit")), "{:?}", whys(&plan));
}
