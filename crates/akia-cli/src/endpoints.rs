//! Refuses a change before it begins, where its calls would go to a host that is neither AWS nor this machine and that
//! nobody has typed. `akia_io` refuses the calls themselves, too; here nothing has been begun yet.

use akia_core::rotation::Rotation;
use akia_io::aws::{Aws, ForeignEndpoint, Target};
use akia_io::rotate::Driver;

use crate::error::CommandError;

/// Whether keys may be changed at `target`.
///
/// # Errors
/// Names the host, who set it, and the flag that allows it.
pub fn check(aws: &Aws, target: &Target) -> Result<(), CommandError> {
    aws.check_changes(target).map_err(|foreign| refused(&foreign))
}

/// Whether all these rotations may go on.
///
/// # Errors
/// For the first that may not.
pub fn check_rotations(driver: &Driver, rotations: &[Rotation]) -> Result<(), CommandError> {
    rotations.iter().try_for_each(|rotation| driver.check_changes(rotation.plan())).map_err(|foreign| refused(&foreign))
}

fn refused(foreign: &ForeignEndpoint) -> CommandError {
    let told = CommandError::decision(foreign).now("nothing was changed");
    foreign.next_steps().into_iter().fold(told, CommandError::next)
}
