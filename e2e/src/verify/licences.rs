//! Licences: every crate that is linked must come from a registry under terms that fit Apache-2.0.
//!
//! Works without a network: Cargo itself says what each crate declares, and `spdx` reads it.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use spdx::{Expression, LicenseReq, ParseMode};

use super::checks::checkout;
use crate::command::Command;

/// Terms that may stand beside Apache-2.0.
const ALLOWED: [&str; 10] =
    ["Apache-2.0", "MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Unicode-3.0", "Zlib", "CC0-1.0", "0BSD", "Unlicense"];
/// Crates that must not be linked: a second TLS provider, and an unmaintained parser.
const BANNED: [&str; 4] = ["ring", "openssl", "openssl-sys", "serde_yaml"];
/// How Cargo names the source of a crate from a registry; one from a git address could change under its version.
const REGISTRY: &str = "registry+";

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

/// Judges every crate of the lock file; names those that don't fit.
pub(super) async fn licences() -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // `tree` lists what is linked on this platform; `metadata` knows each crate's terms.
    let tree = ["tree", "--workspace", "--locked", "--edges=normal,build", "--prefix=none", "--format={p}"];
    let linked = Command::new(&cargo).args(tree).current_dir(checkout()).run().await?;
    let metadata = ["metadata", "--format-version=1", "--locked"];
    let metadata = Command::new(&cargo).args(metadata).current_dir(checkout()).run().await?;
    let metadata: Metadata = serde_json::from_str(&metadata).context("cargo metadata")?;
    let is_linked = |package: &Package| linked.contains(&format!("{} v{}", package.name, package.version));
    let linked: Vec<&Package> = metadata.packages.iter().filter(|package| is_linked(package)).collect();
    ensure!(linked.len() > 100, "only {} crates were found", linked.len());
    let sources: BTreeSet<&str> = linked.iter().filter_map(|package| package.source.as_deref()).collect();
    ensure!(sources.len() == 1, "crates come from more than one place: {sources:?}");
    let faults: Vec<String> = linked.iter().filter_map(|package| fault(package)).collect();
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    println!("    licences: {} crates, all under terms that fit", linked.len());
    Ok(())
}

/// Why a crate may not be linked.
fn fault(package: &Package) -> Option<String> {
    let name = format!("{} {}", package.name, package.version);
    // The workspace's own crates have no source.
    let source = package.source.as_deref()?;
    if !source.starts_with(REGISTRY) {
        return Some(format!("{name} comes from {source}"));
    }
    if BANNED.contains(&package.name.as_str()) {
        return Some(format!("{name} must not be linked"));
    }
    let Some(terms) = package.license.as_deref() else { return Some(format!("{name} declares no licence")) };
    match Expression::parse_mode(terms, ParseMode::LAX) {
        Ok(expression) if expression.evaluate(is_allowed) => None,
        Ok(_) => Some(format!("{name} is under {terms}")),
        Err(error) => Some(format!("{name}: {terms:?} can't be read: {}", error.reason)),
    }
}

fn is_allowed(wanted: &LicenseReq) -> bool {
    wanted.license.id().is_some_and(|id| ALLOWED.contains(&id.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("MIT OR Apache-2.0", true)]
    #[case("MIT/Apache-2.0", true)]
    #[case("Apache-2.0 WITH LLVM-exception", true)]
    #[case("GPL-3.0-only", false)]
    #[case("GPL-3.0-only OR MIT", true)]
    #[case("MIT AND GPL-3.0-only", false)]
    #[case("see LICENSE", false)]
    fn terms_are_read_as_their_expression_says(#[case] terms: &str, #[case] fits: bool) {
        let package = |source: &str| Package {
            name: "one".into(),
            version: "1.0.0".into(),
            license: Some(terms.into()),
            source: Some(source.into()),
        };
        assert_eq!(fault(&package("registry+https://registry.example.com/index")).is_none(), fits);
        assert!(fault(&package("git+https://git.example.com/one")).is_some());
    }
}
