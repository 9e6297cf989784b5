//! The Python of a build must be the cluster's version: found in the image, never installed.

use std::path::PathBuf;
use std::process::Command;

use brickline_artifact::result::Reason;

use super::shop::{Failure, Shop};
use crate::source::SourceInfo;

/// Prints the version and the folder that packages lie in.
const PROBE: &str =
    "import sys, sysconfig; print('%d.%d' % sys.version_info[:2]); print(sysconfig.get_path('purelib'))";

/// An interpreter.
#[derive(Debug, Clone)]
pub struct Python {
    pub program: PathBuf,
    pub version: String,
    /// The packages folder of the image's prepared environment, if the interpreter is of it.
    pub base_packages: Option<PathBuf>,
}

/// Finds the image's Python: its prepared environment's, the version's by name, or the default one.
pub fn find(shop: &mut Shop<'_>, source: &SourceInfo) -> Result<Python, Failure> {
    shop.set("SOURCE_DATE_EPOCH", source.committed_at.max(315_532_800).to_string());
    let wanted = shop.run.plan.python_version.clone();
    let mut seen = Vec::new();
    for program in candidates(shop, wanted.as_deref()) {
        let Some(python) = probe(shop, program) else { continue };
        if wanted.as_ref().is_none_or(|wanted| *wanted == python.version) {
            shop.say(&format!("Python {} at {}", python.version, python.program.display()));
            return Ok(python);
        }
        seen.push(python.version);
    }
    Err(mismatch(wanted.as_deref(), &seen))
}

fn candidates(shop: &Shop<'_>, wanted: Option<&str>) -> Vec<PathBuf> {
    let base = shop.run.place.base_python.join("bin/python");
    let named = wanted.map(|version| PathBuf::from(format!("python{version}")));
    let own = base.exists().then_some(base);
    own.into_iter().chain(named).chain(["python3".into(), "python".into()]).collect()
}

fn probe(shop: &mut Shop<'_>, program: PathBuf) -> Option<Python> {
    let output = shop.ask(Command::new(&program).args(["-I", "-c", PROBE]))?;
    let (version, packages) = output.trim().split_once('\n')?;
    let base = &shop.run.place.base_python;
    let base_packages = program.starts_with(base).then(|| PathBuf::from(packages));
    Some(Python { version: version.to_owned(), program, base_packages })
}

fn mismatch(wanted: Option<&str>, seen: &[String]) -> Failure {
    let message = match (wanted, seen) {
        (Some(wanted), [_, ..]) => format!(
            "the cluster runs Python {wanted} and the build image has {}: use an image with {wanted}, or set build.pythonVersion",
            seen.join(" and ")
        ),
        _ => "the build image has no Python: use an image with python3 and its venv module".to_owned(),
    };
    Failure::new(Reason::RuntimeMismatch, message)
}
