//! `--show-aws-cli`: the AWS CLI commands that do the same, on stderr, beside the plan.

use akia_core::KeyStatus;
use akia_core::cheatsheet::{Connection, Operation, Step, aws_cli};
use akia_core::rotation::{Place, Plan, Retirement, Rotation, Signer};

use crate::context::Context;

/// Prints commands for a person to read and paste.
pub fn print(_context: &Context, steps: &[Step]) {
    let text: String = steps.iter().map(Step::render).collect();
    for line in text.lines() {
        crate::error::print_words(&format!("    {}\n", crate::output::escape::visible(line)));
    }
}

/// One call as a step.
#[must_use]
pub fn step(operation: &Operation, connection: &Connection) -> Step {
    aws_cli::command(operation, connection)
}

/// What a rotation does, by hand and in the same order.
#[must_use]
pub fn rotation(plan: &Plan) -> Vec<Step> {
    let by = connection(plan);
    let user = Some(plan.identity.user_name().clone());
    let key = plan.displaced.clone();
    let mut operations = vec![Operation::CallerIdentity, Operation::ListAccessKeys { user: user.clone() }];
    if let Some(other) = &plan.make_room {
        operations.push(Operation::DeleteAccessKey { user: user.clone(), key: other.clone() });
    }
    operations.push(Operation::CreateAccessKey { user: user.clone() });
    let mut steps: Vec<Step> = operations.iter().map(|operation| step(operation, &by)).collect();
    steps.extend(configure(plan));
    steps.push(step(&Operation::AccessKeyLastUsed { key: key.clone() }, &by));
    let deactivate = Operation::UpdateAccessKey { user: user.clone(), key: key.clone(), status: KeyStatus::Inactive };
    let delete = step(&Operation::DeleteAccessKey { user, key }, &by);
    match plan.retirement {
        Retirement::Keep => {}
        Retirement::Delete => steps.extend([step(&deactivate, &by), delete]),
        Retirement::Deactivate => {
            steps.push(step(&deactivate, &by));
            let (first, rest) = delete.comment.split_at(delete.comment.chars().next().map_or(0, char::len_utf8));
            let words = format!("After the grace period: {}{rest}", first.to_lowercase());
            steps.push(delete.explained(words));
        }
    }
    steps
}

/// Puts a key into the profiles of a plan. Places that are not AWS's have no command of the AWS CLI.
fn configure(plan: &Plan) -> impl Iterator<Item = Step> {
    plan.places.iter().filter_map(Place::profile).map(|profile| {
        let into = Connection { profile: Some(profile.clone()), ..Connection::default() };
        step(&Operation::ConfigureKey, &into)
    })
}

/// What an undo does, by hand and in the same order.
#[must_use]
pub fn undo(rotation: &Rotation) -> Vec<Step> {
    let plan = rotation.plan();
    let by = connection(plan);
    let user = Some(plan.identity.user_name().clone());
    let activate =
        Operation::UpdateAccessKey { user: user.clone(), key: plan.displaced.clone(), status: KeyStatus::Active };
    let mut steps = vec![step(&activate, &by)];
    steps.extend(configure(plan));
    if let Some(new) = rotation.new_key() {
        let deactivate = Operation::UpdateAccessKey { user, key: new.clone(), status: KeyStatus::Inactive };
        steps.push(step(&deactivate, &by));
    }
    steps
}

/// What retiring a key does, by hand.
#[must_use]
pub fn retire(rotation: &Rotation) -> Vec<Step> {
    let plan = rotation.plan();
    let user = Some(plan.identity.user_name().clone());
    let delete = rotation.key_in_grace().map(|key| Operation::DeleteAccessKey { user, key: key.clone() });
    delete.iter().map(|delete| step(delete, &connection(plan))).collect()
}

fn connection(plan: &Plan) -> Connection {
    let profile = match &plan.signer {
        Signer::Own { profile, .. } | Signer::Admin { profile } => profile.clone(),
    };
    let region = Some(plan.region.clone()).filter(|region| *region != plan.identity.partition().iam_region());
    Connection { profile: Some(profile), region, endpoint_url: plan.endpoint_url.clone() }
}
