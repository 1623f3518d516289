//! Carries out plans of enforcement: looks at each key, has owners told, deactivates and deletes, and writes everything down
//! before and after.
//!
//! Invariant: what is done to a key was intended in the journal, by leave of [`Case::next`] alone, on a look that is not a
//! minute old. A key is changed by a session that can change the keys of its one user only, where a role is named for it.
//!
//! [`Case::next`]: akia_core::enforce::Case::next

mod cases;
mod driver;
mod granted;
mod look;
mod quarantine;
mod sessions;
mod stop;

pub use cases::{Broken, load_all};
pub use driver::{Delivered, Ended, EnforceError, Enforcer, Notifier, PolicyNow, PolicySource, Telling, Watch};
pub use granted::{GrantedError, GrantedFile};
pub use look::{Looked, look};
pub use quarantine::{Asked, QuarantineError, Quarantiner, load_quarantines};
pub use sessions::Gate;
pub use stop::{StopFile, Stopped};
