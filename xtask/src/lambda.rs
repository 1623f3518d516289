//! The zip of the rotation function: `akia`, and the `bootstrap` that Lambda starts.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{FEATURES, capture, cargo, command, run as run_command};
use crate::folders;

/// Lambda starts this; the flags are the function's own setting.
const BOOTSTRAP: &str = "#!/bin/sh\nexec \"$LAMBDA_TASK_ROOT/akia\" lambda $AKIA_LAMBDA_FLAGS\n";
/// The version of glibc in Amazon Linux 2023, on which `provided.al2023` stands.
const GLIBC: u32 = 34;

/// Builds `akia` and zips it.
pub(crate) fn run(profile: &str) -> Result<(), String> {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let is_static = has_target(&target)?;
    let mut build =
        cargo(&["build", "--locked", FEATURES, "--package", "akia-cli", "--bin", "akia", "--profile", profile]);
    if is_static {
        build.args(["--target", &target]);
    }
    run_command(&mut build)?;
    let built = if is_static { folders::target().join(&target) } else { folders::target() };
    // Cargo keeps the profile `dev` in a folder of another name.
    let binary = built.join(if profile == "dev" { "debug" } else { profile }).join("akia");
    if !is_static {
        let bytes = fs::read(&binary).map_err(|error| format!("cannot read {}: {error}", binary.display()))?;
        let wanted = newest_glibc(&bytes);
        println!(
            "    {target} is not installed (rustup target add {target}): built for this machine, wants glibc 2.{wanted}"
        );
        if wanted > GLIBC {
            return Err(format!(
                "the binary wants glibc 2.{wanted}, and provided.al2023 has 2.{GLIBC}: install the target, or build on Amazon Linux 2023"
            ));
        }
    }
    let zip = pack(&binary)?;
    println!("    {}", zip.display());
    Ok(())
}

fn has_target(target: &str) -> Result<bool, String> {
    let (ok, text) = capture(command("rustc").args(["--print", "target-libdir", "--target", target]))?;
    Ok(ok && Path::new(text.trim()).exists())
}

/// The highest version that a binary asks of glibc, as the names of its symbols' versions have it: `GLIBC_2.34`.
fn newest_glibc(binary: &[u8]) -> u32 {
    let mark = b"GLIBC_2.";
    let starts = binary.windows(mark.len()).enumerate().filter(|(_, window)| *window == mark);
    let versions = starts.filter_map(|(at, _)| {
        let digits = binary.get(at + mark.len()..)?.iter().take(3).take_while(|byte| byte.is_ascii_digit());
        let digits: String = digits.map(|byte| char::from(*byte)).collect();
        digits.parse().ok()
    });
    versions.max().unwrap_or(0)
}

/// Python's zipfile keeps the permission bits, which Lambda wants; the tests need Python as well.
fn pack(binary: &Path) -> Result<PathBuf, String> {
    let folder = folders::target().join("lambda");
    let failed = |error: std::io::Error| format!("cannot write below {}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    let bootstrap = folder.join("bootstrap");
    fs::write(&bootstrap, BOOTSTRAP).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&bootstrap, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    }
    let zip = folder.join("akia-lambda.zip");
    let mut pack = command("python3");
    pack.args(["-m", "zipfile", "-c"]).arg(&zip).arg(&bootstrap).arg(binary);
    run_command(&mut pack)?;
    Ok(zip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_glibc_is_told_by_its_number() {
        assert_eq!(newest_glibc(b"..GLIBC_2.2.5..GLIBC_2.34\0GLIBC_2.9\0GLIBC_2."), 34);
        assert_eq!(newest_glibc(b"static"), 0);
    }
}
