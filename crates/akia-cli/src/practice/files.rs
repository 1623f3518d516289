//! The made-up `~/.aws`: written as people write it, with comments, columns and all.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use tempfile::TempDir;

use super::Keys;
use crate::error::CommandError;

/// The credentials file, below the folder of the world.
pub(super) const CREDENTIALS: &str = ".aws/credentials";
/// The config file, below the folder of the world.
pub(super) const CONFIG: &str = ".aws/config";

/// A folder for a made-up world, for its owner alone.
///
/// # Errors
/// When the system has no room for one.
pub fn temporary_folder(prefix: &str) -> std::io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.prefix(prefix).tempdir()
}

/// Writes both files, readable by their owner alone.
pub(super) fn write(folder: &Path, keys: &Keys) -> Result<(), CommandError> {
    let texts = [(CREDENTIALS, credentials(keys)), (CONFIG, config(keys))];
    let failed = |error: std::io::Error| {
        CommandError::failed(format_args!("the made-up AWS files cannot be written to {}: {error}", folder.display()))
    };
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder.join(".aws")).map_err(failed)?;
    for (name, text) in texts {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(folder.join(name)).and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
    }
    Ok(())
}

/// Both files as they are now, by name.
///
/// # Errors
/// When one cannot be read.
pub fn read_both(folder: &Path) -> Result<[(&'static str, String); 2], CommandError> {
    let read = |name: &'static str| match fs::read_to_string(folder.join(name)) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(CommandError::failed(format_args!("{name} of the made-up world cannot be read: {error}"))),
    };
    Ok([read(CREDENTIALS)?, read(CONFIG)?])
}

fn credentials(keys: &Keys) -> String {
    let (ann, backup) = (&keys.ann, &keys.backup);
    let mut text = format!(
        "# Company. The build server has its own key, do not copy this one.\n\
         [default]\n\
         aws_access_key_id     = {}\n\
         aws_secret_access_key = {}\n\
         \n\
         ; The same key once more: an old script wants it under this name.\n\
         [terraform]\n\
         aws_access_key_id={}\n\
         aws_secret_access_key={}\n\
         \n\
         [backup]\n\
         # nightly, 02:30\n\
         aws_access_key_id\t=\t{}\n\
         aws_secret_access_key\t=\t{}\n",
        ann.id, ann.secret, ann.id, ann.secret, backup.id, backup.secret
    );
    if let Some(practice) = &keys.practice {
        text.push_str(&format!(
            "\n\
             [admin]\n\
             aws_access_key_id = {}\n\
             aws_secret_access_key = {}\n\
             \n\
             [mfa]\n\
             aws_access_key_id = {}\n\
             aws_secret_access_key = {}\n",
            practice.admin.id, practice.admin.secret, practice.mia.id, practice.mia.secret
        ));
    }
    text
}

fn config(keys: &Keys) -> String {
    let private = &keys.private;
    let mut text = format!(
        "[default]\n\
         region = eu-central-1\n\
         output = json\n\
         \n\
         # No key of its own: it follows default.\n\
         [profile deploy]\n\
         role_arn       = arn:aws:iam::111122223333:role/deployer\n\
         source_profile = default\n\
         \n\
         [profile console]\n\
         sso_session    = company\n\
         sso_account_id = 111122223333\n\
         sso_role_name  = ReadOnly\n\
         \n\
         [sso-session company]\n\
         sso_start_url = https://sso.example.com/start\n\
         sso_region    = eu-central-1\n\
         \n\
         [profile private]\n\
         region                = eu-west-1\n\
         aws_access_key_id     = {}\n\
         aws_secret_access_key = {}\n\
         s3 =\n  \
           max_concurrent_requests = 20\n",
        private.id, private.secret
    );
    if let Some(practice) = &keys.practice {
        text.push_str(&format!("\n[profile mfa]\nmfa_serial = {}\n", practice.mia_serial));
    }
    text
}
