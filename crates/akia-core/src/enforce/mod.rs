//! Enforcement: from a finding to a retired key, one case for each key, in stages that its owner is told of.
//!
//! A case is its records, replayed through [`Case::apply`], as a rotation is. [`Case::next`] says what may be done now. What
//! changes a key takes a token that only a look at the key, moments before, can mint: it must be the same key of the same
//! user, still in breach, out of use, not exempt, and its notices must have been delivered.
//!
//! Invariants, each checked in simulation (`cargo xtask prove --enforce`):
//! - No key is deactivated before its owner was told, was reminded, and every time that was promised has passed.
//! - No key is deleted that was not inactive for the whole soak, as far as AWS tells.
//! - What is not known holds a case where it is. It never moves it on.
//! - A run that comes late delays a stage; it never skips one.

mod canary;
mod case;
mod plan;
mod policy;
mod record;
mod review;

pub use canary::Canaries;
pub use case::{Case, Clear, Illegal, Next, Stage};
pub use plan::{Budget, Evidenced, Held, Plan, PlanError, PlanInput, Step, StepKind, plan};
pub use policy::{
    ACTING_RULES, Canary, Caps, Day, EnforcePolicy, Exemption, Freeze, FreezeTime, InUse, OnExposure, Protected, Roles,
    Terms, TermsOverride, Warning,
};
pub use record::{
    Act, CaseEvent, CaseRecord, CaseSubject, Closed, Evidence, Facts, Hindrance, KeyFacts, Opening, Proof, Told, Waits,
};
pub use review::{Review, review};
