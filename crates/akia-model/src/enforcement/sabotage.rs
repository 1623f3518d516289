//! Enforcement that is weakened on purpose, between the core and its world. Each must be caught, or the check proves nothing.

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Sabotage {
    /// What a first look has shown is taken for what the next ones show.
    OldLook,
    /// A change is sent however long its intent has taken.
    SentLate,
    /// The second look before a deletion repeats the first.
    OneLook,
    /// A reminder that goes out late does not move the deadline.
    LateReminderUncounted,
    /// A reminder whose time has passed is taken for sent.
    LateRunSkips,
    /// A policy that is made stricter shortens what an owner was told.
    StricterShortens,
    /// A last use that cannot be read counts as none.
    UnknownUseIsNever,
    /// A notice that was intended counts as delivered.
    IntentIsDelivery,
    /// Neither the user's id nor the key's date is compared.
    ByName,
    /// A change whose answer was lost counts as done.
    UnansweredIsDone,
    /// A change whose answer was lost counts as refused.
    UnansweredIsRefused,
    /// A change that AWS has refused counts as done.
    RefusedIsDone,
    /// What a credential report tells of an activation is not looked at: no soak begins anew.
    ReportIgnored,
    /// Freezes and exemptions are read once, when the plan is made.
    PolicyAtPlanTime,
    /// The switch is not looked at.
    SwitchIgnored,
    /// Exemptions are not asked about a key that is inactive already.
    InactiveNotSpared,
    /// A crash loses an intent.
    NonDurableIntent,
    /// That a person wanted the key back is not written down where AWS did not do it.
    WishForgotten,
}

impl Sabotage {
    pub(crate) const ALL: [Self; 18] = [
        Self::OldLook,
        Self::SentLate,
        Self::OneLook,
        Self::LateReminderUncounted,
        Self::LateRunSkips,
        Self::StricterShortens,
        Self::UnknownUseIsNever,
        Self::IntentIsDelivery,
        Self::ByName,
        Self::UnansweredIsDone,
        Self::UnansweredIsRefused,
        Self::RefusedIsDone,
        Self::ReportIgnored,
        Self::PolicyAtPlanTime,
        Self::SwitchIgnored,
        Self::InactiveNotSpared,
        Self::NonDurableIntent,
        Self::WishForgotten,
    ];
}
