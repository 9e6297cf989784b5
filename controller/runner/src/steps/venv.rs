//! A venv is the build's own Python environment on top of what the image brings.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::python::Python;
use super::shop::{Failure, Shop};
use crate::place::name;

/// Makes the environment and lets all later steps use it.
///
/// It sees the packages of the image's prepared environment through a `.pth` file (a venv's own system packages are
/// the interpreter's, never another venv's), or else the packages installed in the image.
pub fn make(shop: &mut Shop<'_>, python: &Python) -> Result<(), Failure> {
    let folder = shop.work(name::VENV);
    let mut create = Command::new(&python.program);
    create.args(["-m", "venv", "--clear", "--without-pip"]);
    if python.base_packages.is_none() {
        create.arg("--system-site-packages");
    }
    shop.step("venv", create.arg(&folder))?;
    if let Some(base) = &python.base_packages {
        let packages = folder.join(format!("lib/python{}/site-packages", python.version));
        fs::write(packages.join("brickline-base.pth"), format!("{}\n", base.display()))?;
    }
    enter(shop, folder);
    if !can_import(shop, "pip") {
        shop.step("pip", command(shop, &["-m", "ensurepip"]).arg("--default-pip"))?;
    }
    Ok(())
}

fn enter(shop: &mut Shop<'_>, folder: PathBuf) {
    let mut path = folder.join("bin").into_os_string();
    if let Some(old) = std::env::var_os("PATH") {
        path.push(":");
        path.push(old);
    }
    shop.set("PATH", path);
    let python = folder.join("bin/python");
    shop.set("PYSPARK_PYTHON", python.clone());
    shop.set("PYSPARK_DRIVER_PYTHON", python);
    shop.set("VIRTUAL_ENV", folder);
}

/// A call to the environment's Python.
pub fn command(shop: &Shop<'_>, arguments: &[&str]) -> Command {
    let mut command = Command::new(shop.work(name::VENV).join("bin/python"));
    command.args(arguments);
    command
}

/// Whether a module is there.
pub fn can_import(shop: &mut Shop<'_>, module: &str) -> bool {
    let script = format!("import importlib.util, sys; sys.exit(importlib.util.find_spec('{module}') is None)");
    let mut command = command(shop, &["-I", "-c", &script]);
    shop.ask(&mut command).is_some()
}
