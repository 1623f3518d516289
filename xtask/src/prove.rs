//! `cargo xtask prove`: the model check of the rotation protocol, built optimised.

use crate::command::{cargo, run};

/// Explores the worlds of `akia-model`; with `deep` the large ones too.
pub(crate) fn model(deep: bool) -> Result<(), String> {
    let mut check = cargo(&["run", "--quiet", "--release", "--locked", "--package", "akia-model", "--"]);
    if deep {
        check.arg("--deep");
    }
    run(&mut check)
}
