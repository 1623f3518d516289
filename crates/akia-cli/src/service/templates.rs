//! `akia service templates`.

use akia_core::service::TEMPLATES;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report, Row};

/// Prints the list.
///
/// # Errors
/// When stdout cannot be written.
pub(crate) fn run(context: &Context) -> Result<Exit, CommandError> {
    let columns =
        vec![Column::whole("template", "TEMPLATE"), Column::whole("argument", "WHAT"), Column::new("allows", "ALLOWS")];
    let mut report = Report::new("service-templates", "templates", columns);
    for one in TEMPLATES {
        report.push(Row::from(vec![Cell::text(one.name), Cell::text(one.argument), Cell::text(one.allows)]));
    }
    context.print(&report)?;
    context.say("use one: akia service create NAME --template TEMPLATE=WHAT …");
    Ok(Exit::Done)
}
