//! `akia lambda`: the rotation function of Secrets Manager.

use akia_core::place::KeyNames;
use akia_io::lambda::{Rotator, RuntimeApi};
use clap::Args;
use jiff::SignedDuration;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::workbench;

/// Serve the rotation of secrets that hold an access key, as a Lambda function
///
/// Secrets Manager calls the function with four steps (createSecret, setSecret, testSecret, finishSecret), and the new key of the
/// service user is made, tried out and made current. A schedule of EventBridge calls it with a fifth, retireSecret, which deactivates
/// the displaced key once nobody has used it for --quiet-for; the next rotation deletes it. It runs as a custom runtime
/// (provided.al2023) and is of no use outside Lambda. docs/lambda.md has the zip, the templates and the rights.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia lambda", "in the file bootstrap of the function"),
    ("akia lambda --id-field id --secret-field key --quiet-for 48h", "a secret with other names, and more patience"),
    ("akia policy lambda > role.json", "what the role of the function needs"),
]))]
pub struct LambdaArgs {
    /// Name in the secret's JSON of the key id
    #[arg(long, value_name = "NAME", default_value = "AWS_ACCESS_KEY_ID")]
    pub id_field: String,

    /// Name in the secret's JSON of the secret access key
    #[arg(long, value_name = "NAME", default_value = "AWS_SECRET_ACCESS_KEY")]
    pub secret_field: String,

    /// Name in the secret's JSON of the user's name; where it is there, it must be right
    #[arg(long, value_name = "NAME", default_value = "AWS_IAM_USER")]
    pub user_field: String,

    /// How long nobody may have used a displaced key before it is deactivated
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = akia_core::span::parse)]
    pub quiet_for: SignedDuration,
}

/// Runs the command: until Lambda ends the process.
///
/// # Errors
/// When it does not run in Lambda, or the Runtime API fails.
pub(crate) async fn run(context: &Context, args: LambdaArgs) -> Result<Exit, CommandError> {
    let LambdaArgs { id_field, secret_field, user_field, quiet_for } = args;
    let is_odd = [&id_field, &secret_field, &user_field].iter().any(|name| name.is_empty());
    if is_odd || id_field == secret_field || id_field == user_field || secret_field == user_field {
        return Err(CommandError::usage("--id-field, --secret-field and --user-field are three names"));
    }
    let not_here =
        |what: &str| CommandError::failed(what).next("make the function as docs/lambda.md says; Lambda sets it");
    let address = context.environment.text("AWS_LAMBDA_RUNTIME_API")?;
    let address = address.ok_or_else(|| not_here("this is no Lambda function: AWS_LAMBDA_RUNTIME_API is not set"))?;
    let credentials = workbench::environment_key()?;
    let credentials = credentials.ok_or_else(|| not_here("the function has no role: AWS_ACCESS_KEY_ID is not set"))?;
    let api = RuntimeApi::new(address).map_err(CommandError::usage)?;
    let rotator = Rotator {
        aws: workbench::aws(context)?,
        credentials,
        clock: workbench::clock(),
        names: KeyNames::Apart { id: id_field, secret: secret_field },
        user_name: user_field,
        quiet_for,
    };
    let served = api.serve(&rotator, |line| context.say(line)).await;
    served.map(|()| Exit::Done).map_err(|error| {
        CommandError::new(Exit::Interrupted, &error).now(
            "no step was answered that was not done; Lambda starts the function anew, and a step may be called again",
        )
    })
}
