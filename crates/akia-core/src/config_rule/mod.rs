//! AWS Config's managed rule `access-keys-rotated`: what akia sets up, what of it is akia's own, and how its verdicts compare
//! with akia's.
//!
//! Invariant: what does not bear akia's mark is not changed and not removed, whatever its name.

mod compare;
mod found;
mod plan;
mod recorder;
mod template;
mod topic;
mod wanted;

pub use compare::{Compared, ConfigSays, ConfigVerdict, Opinion, compare};
pub use found::{EventRuleFound, Found, OrganizationRuleFound, RuleFound, Standing};
pub use plan::{Blocked, Removal, Removed, Step, removal, steps};
pub use recorder::{Recorder, Recording};
pub use template::{TemplateForm, template};
pub use topic::{TopicPolicy, statement};
pub use wanted::{IDENTIFIER, MARK, RuleName, TARGET, TopicArn, Wanted};
