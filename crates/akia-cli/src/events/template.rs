//! `akia events template`.

use akia_core::Partition;
use akia_core::event::{Forwarding, TemplateForm, template};

use crate::commands::config_rule::Template;
use crate::commands::events::TemplateArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;

pub(crate) fn run(context: &Context, args: &TemplateArgs) -> Result<Exit, CommandError> {
    let region = context.aws_options()?.region;
    let partition = region.as_ref().map_or(Partition::Aws, Partition::of_region);
    let forwarding = match (&args.from_org, &args.to) {
        (Some(organization), _) => Forwarding::FromOrganization(organization.clone()),
        (None, Some(account)) => Forwarding::To(account.clone()),
        (None, None) => Forwarding::None,
    };
    let form = match args.form {
        Template::Cloudformation => TemplateForm::Cloudformation,
        Template::Terraform => TemplateForm::Terraform,
    };
    context.print_text(&template(&args.name, &forwarding, partition, form))?;
    context
        .say(&format!("note: deploy it in {}: IAM's calls are events there and nowhere else", partition.iam_region()));
    Ok(Exit::Done)
}
