//! Installing brings what requirement files ask for.

use std::collections::BTreeSet;

use super::shop::{Failure, Shop};
use super::venv;
use super::wheels::Folder;
use crate::Run;
use crate::place::name;
use crate::source::SourceInfo;

/// The requirement files: the plan's, or those at the top and beside the wheels' folders.
pub fn find(run: &Run, source: &SourceInfo, wheels: &[Folder]) -> Vec<String> {
    if !run.plan.requirements.is_empty() {
        return run.plan.requirements.clone();
    }
    let folders: BTreeSet<&str> = wheels.iter().map(|folder| folder.path.as_str()).chain([""]).collect();
    let files = source.regular().map(|file| file.path.as_str());
    files.filter(|path| is_requirements(path, &folders)).map(ToOwned::to_owned).collect()
}

fn is_requirements(path: &str, folders: &BTreeSet<&str>) -> bool {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    folders.contains(folder) && file.starts_with("requirements") && file.to_ascii_lowercase().ends_with(".txt")
}

/// Installs all files in one call, so that pip sees what contradicts.
pub fn requirements(shop: &mut Shop<'_>, files: &[String]) -> Result<(), Failure> {
    if files.is_empty() {
        return Ok(());
    }
    let mut command = venv::command(shop, &["-m", "pip", "install"]);
    command.current_dir(shop.work(name::TREE));
    command.args(files.iter().flat_map(|file| ["-r".to_owned(), format!("./{file}")]));
    shop.step(&format!("pip install {}", files.join(" ")), &mut command)
}

/// Installs a package that the runner itself needs, unless the image has it.
pub fn tool(shop: &mut Shop<'_>, module: &str) -> Result<(), Failure> {
    if venv::can_import(shop, module) {
        return Ok(());
    }
    let mut command = venv::command(shop, &["-m", "pip", "install", module]);
    shop.step(&format!("pip install {module}"), &mut command)
}
