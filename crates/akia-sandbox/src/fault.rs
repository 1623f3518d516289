//! Faults on demand: what a network and a service do to a caller on a bad day.

use std::time::Duration;

/// Something that goes wrong with certain calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    action: Option<String>,
    access_key_id: Option<String>,
    skip: u32,
    times: Option<u32>,
    kind: FaultKind,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// The call arrives, nothing happens, and the connection breaks.
    LostAnswerBeforeCommit,
    /// The call is carried out, and the connection breaks before the answer.
    LostAnswerAfterCommit,
    /// The connection breaks at once, and the call is carried out this much later.
    DelayedCommit(Duration),
    /// The call is carried out, and half of the answer arrives, as a complete HTTP message.
    TruncatedAnswer,
    /// 400 `Throttling`: too many calls.
    Throttle,
    /// A 5xx answer to a call that was, or was not, carried out.
    ServerError {
        /// 500 or 503 as a rule.
        status: u16,
        /// Whether the call took effect.
        committed: bool,
    },
    /// The call is carried out and answered after this time.
    Slow(Duration),
    /// A front door that does not know the key (yet, or any more).
    InvalidClientTokenId,
    /// 403 `AccessDenied`, whatever the policies say.
    AccessDenied,
    /// Any refusal at all.
    Refuse {
        /// HTTP status.
        status: u16,
        /// AWS's error code.
        code: String,
        /// AWS's words.
        message: String,
    },
    /// The call is carried out, and 200 arrives with this body, as from a captive portal or a broken proxy.
    Garbage(Vec<u8>),
}

impl Fault {
    /// Hits the next call of this action, once.
    #[must_use]
    pub fn on(action: &str, kind: FaultKind) -> Self {
        Self { action: Some(action.to_owned()), access_key_id: None, skip: 0, times: Some(1), kind }
    }

    /// Hits the next call of any action, once.
    #[must_use]
    pub fn on_any(kind: FaultKind) -> Self {
        Self { action: None, access_key_id: None, skip: 0, times: Some(1), kind }
    }

    /// Begins with the `nth` matching call from now, counted from 1.
    #[must_use]
    pub fn nth(mut self, nth: u32) -> Self {
        self.skip = nth.saturating_sub(1);
        self
    }

    /// Hits this many matching calls.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Hits every matching call until [`crate::Sandbox::clear_faults`].
    #[must_use]
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }

    /// Hits only calls signed with this key.
    #[must_use]
    pub fn signed_with(mut self, access_key_id: &str) -> Self {
        self.access_key_id = Some(access_key_id.to_owned());
        self
    }

    fn matches(&self, action: &str, access_key_id: Option<&str>) -> bool {
        self.action.as_deref().is_none_or(|wanted| wanted == action)
            && self.access_key_id.as_deref().is_none_or(|wanted| Some(wanted) == access_key_id)
    }
}

/// The faults that are still to come, and those that have struck.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pending: Vec<Fault>,
    struck: Vec<(String, FaultKind)>,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.pending.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.pending.clear();
    }

    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// What has struck so far, with the action, in order.
    pub(crate) fn struck(&self) -> &[(String, FaultKind)] {
        &self.struck
    }

    /// What happens to this call. Every matching fault counts it; the first that is due strikes.
    pub(crate) fn strike(&mut self, action: &str, access_key_id: Option<&str>) -> Option<FaultKind> {
        let mut struck = None;
        for fault in self.pending.iter_mut().filter(|fault| fault.matches(action, access_key_id)) {
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if struck.is_none() {
                struck = Some(fault.kind.clone());
                fault.times = fault.times.map(|times| times.saturating_sub(1));
            }
        }
        self.pending.retain(|fault| fault.times != Some(0));
        if let Some(kind) = &struck {
            self.struck.push((action.to_owned(), kind.clone()));
        }
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_the_nth_matching_call_as_often_as_told() {
        let mut faults = Faults::default();
        faults.add(Fault::on("CreateAccessKey", FaultKind::Throttle).nth(2).times(2).signed_with("K"));
        assert_eq!(faults.strike("CreateAccessKey", Some("other")), None);
        assert_eq!(faults.strike("ListAccessKeys", Some("K")), None);
        let hits: Vec<bool> = (0..4).map(|_| faults.strike("CreateAccessKey", Some("K")).is_some()).collect();
        assert_eq!(hits, [false, true, true, false]);
        assert_eq!(faults.pending(), 0);
    }
}
