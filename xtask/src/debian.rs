//! Installing Debian's packages, where that can be done.

use std::process::Command;

use crate::command::{has_program, program};

/// Whether packages can be installed here, or why not.
pub(crate) fn can_install() -> Result<(), String> {
    if !has_program("apt-get") {
        return Err("there is no apt-get to install it with".to_owned());
    }
    if !is_root() {
        return Err("only root may install it".to_owned());
    }
    Ok(())
}

/// Installs packages, or says why not.
pub(crate) fn install(packages: &[&str]) -> Result<(), String> {
    can_install()?;
    // A source of packages that cannot be reached need not be the one: whether it is, the installation tells.
    let _ = apt_get(&["update"]);
    let install = ["install", "--yes", "--no-install-recommends"];
    apt_get(&[&install, packages].concat())
}

fn apt_get(arguments: &[&str]) -> Result<(), String> {
    // It must not ask: neither for settings nor whether a file that is there is to stay.
    let variables =
        [("DEBIAN_FRONTEND", "noninteractive".to_owned()), ("UCF_FORCE_CONFFOLD", "1".to_owned())];
    program("apt-get", arguments, &variables)
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
