//! Wheels are built in a copy of the tree, so that nothing of the build is found by tests, and then installed.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::shop::{Failure, Shop};
use super::{tree, venv};
use crate::Run;
use crate::place::name;
use crate::source::SourceInfo;

/// The longest `pyproject.toml` that is looked into, in bytes.
const MAX_PYPROJECT: u64 = 1024 * 1024;

/// The first line of a notebook in Python.
const NOTEBOOK: &[u8; 28] = b"# Databricks notebook source";

/// A folder that makes a wheel; empty for the top.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Folder {
    pub path: String,
}

/// The folders to build: the plan's, or all that have a setup script or a project file.
pub fn find(run: &Run, source: &SourceInfo) -> Result<Vec<Folder>, Failure> {
    let tracked = projects(run, source);
    if run.plan.wheels.is_empty() {
        return Ok(tracked.into_iter().collect());
    }
    run.plan.wheels.iter().map(|path| planned(path, &tracked)).collect()
}

fn planned(path: &str, tracked: &BTreeSet<Folder>) -> Result<Folder, Failure> {
    let folder = Folder { path: path.trim_end_matches('/').trim_start_matches("./").trim_matches('.').to_owned() };
    if tracked.contains(&folder) {
        return Ok(folder);
    }
    Err(Failure::build(format!("build.wheels names {path}, which has no tracked setup.py or pyproject.toml")))
}

fn projects(run: &Run, source: &SourceInfo) -> BTreeSet<Folder> {
    let is_project = |path: &str, file: &str| match file {
        "setup.py" => !is_notebook(&run.place.source.join(path)),
        "pyproject.toml" => builds(&run.place.source.join(path)),
        _ => false,
    };
    let split =
        source.regular().map(|file| (file.path.as_str(), file.path.rsplit_once('/').unwrap_or(("", &file.path))));
    split
        .filter(|(path, (_, file))| is_project(path, file))
        .map(|(_, (folder, _))| Folder { path: folder.to_owned() })
        .collect()
}

/// Whether it is a notebook that sets tests up, and no setup script.
fn is_notebook(path: &Path) -> bool {
    let mut begin = [0; NOTEBOOK.len()];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut begin)).is_ok() && begin == *NOTEBOOK
}

/// Whether a project file says how to build, rather than only how to format.
fn builds(path: &Path) -> bool {
    let small = fs::metadata(path).is_ok_and(|file| file.len() <= MAX_PYPROJECT);
    let text = if small { fs::read_to_string(path).unwrap_or_default() } else { String::new() };
    text.lines().any(|line| matches!(line.trim(), "[build-system]" | "[project]"))
}

/// Builds each folder's wheel, then installs them all.
pub fn build(shop: &mut Shop<'_>, folders: &[Folder]) -> Result<(), Failure> {
    if folders.is_empty() {
        return Ok(());
    }
    tree::copy(&shop.run.place.source, &shop.work(name::WHEEL_TREE))?;
    for folder in folders {
        build_one(shop, folder)?;
    }
    let wheels: Vec<PathBuf> = wheels(shop)?.into_iter().collect();
    let mut install = venv::command(shop, &["-m", "pip", "install", "--find-links"]);
    install.arg(shop.work(name::WHEELS)).args(wheels);
    shop.step("pip install wheels", &mut install)
}

fn build_one(shop: &mut Shop<'_>, folder: &Folder) -> Result<(), Failure> {
    let shown = if folder.path.is_empty() { "." } else { &folder.path };
    let step = format!("wheel {shown}");
    let before = wheels(shop)?;
    if !build_with_what_is_there(shop, folder, &step)? {
        let mut isolated = venv::command(shop, &["-m", "pip", "wheel", "--no-deps", "--wheel-dir"]);
        isolated.arg(shop.work(name::WHEELS)).arg(project(shop, folder));
        shop.step(&step, &mut isolated)?;
    }
    if wheels(shop)?.is_subset(&before) {
        return Err(Failure::build(format!("{step} left no new wheel: does another folder make the same one?")));
    }
    Ok(())
}

/// Builds with the image's own tools: no network, nothing downloaded. False if they don't suffice.
fn build_with_what_is_there(shop: &mut Shop<'_>, folder: &Folder, step: &str) -> Result<bool, Failure> {
    if !(venv::can_import(shop, "build") && venv::can_import(shop, "setuptools")) {
        return Ok(false);
    }
    let mut command = venv::command(shop, &["-m", "build", "--wheel", "--no-isolation", "--outdir"]);
    command.arg(shop.work(name::WHEELS)).arg(project(shop, folder));
    let ending = shop.attempt(step, &mut command)?;
    if ending.is_success() {
        return Ok(true);
    }
    // What `build` says if the project asks for a tool that isn't there.
    if shop.said("Missing dependencies") || shop.said("Cannot import") || shop.said("is not available") {
        return Ok(false);
    }
    Err(Failure::build(shop.complaint(step, &ending)))
}

fn project(shop: &Shop<'_>, folder: &Folder) -> OsString {
    shop.work(name::WHEEL_TREE).join(&folder.path).into()
}

fn wheels(shop: &Shop<'_>) -> Result<BTreeSet<PathBuf>, Failure> {
    let mut wheels = BTreeSet::new();
    for entry in fs::read_dir(shop.work(name::WHEELS))? {
        let path = entry?.path();
        if path.extension().is_some_and(|suffix| suffix == "whl") {
            wheels.insert(path);
        }
    }
    Ok(wheels)
}
