//! Checks: what can be said about the checkout without a cluster, and about the chart with its tools.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, ensure};

use crate::{
    cache::Cache,
    cluster::Cluster,
    command::Command,
    progress::Progress,
    requirements::{self, Need},
};

/// A check by one of cargo's commands.
pub(super) struct Check {
    /// Its name in the report, and that of its log.
    pub name: &'static str,
    arguments: &'static [&'static str],
    variable: Option<(&'static str, &'static str)>,
}

/// A cold build of the whole workspace on two cores takes a quarter of an hour.
const LIMIT: Duration = Duration::from_mins(40);

/// Has promtool, which tests the chart's alerting rules.
const PROMETHEUS: [Need; 1] = [Need { program: "promtool", package: "prometheus" }];

/// Every check, the quick ones first.
pub(super) fn all() -> Vec<Check> {
    let check = |name, arguments| Check { name, arguments, variable: None };
    vec![
        check("format", &["fmt", "--all", "--check"]),
        check("lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        Check {
            name: "docs",
            arguments: &["doc", "--workspace", "--no-deps", "--document-private-items"],
            variable: Some(("RUSTDOCFLAGS", "-D warnings -A rustdoc::private-intra-doc-links")),
        },
        check("tests", &["test", "--workspace", "--no-fail-fast"]),
    ]
}

impl Check {
    /// Runs it, and prints the lines with which test runners close.
    pub async fn run(&self) -> anyhow::Result<()> {
        let log = Cache::open()?.log(&format!("verify-{}", self.name))?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let command = Command::new(cargo).args(self.arguments).current_dir(checkout()).log(&log).limit(LIMIT);
        let command = self.variable.iter().fold(command, |command, (name, value)| command.env(name, value));
        let ran = command.run().await;
        let text = fs::read_to_string(&log).unwrap_or_default();
        closing_lines(&text).for_each(|line| println!("    {line}"));
        ran.map(drop).context(failures(&text))
    }
}

/// Which tests ran and how they ended, in their runner's words. Runs without any test are left out.
fn closing_lines(log: &str) -> impl Iterator<Item = &str> {
    let closing = |line: &&str| line.starts_with("test result: ") && !line.contains(" 0 passed; 0 failed");
    let program = |line: &&str| line.trim_start().starts_with("Running ");
    let mut last = None;
    log.lines()
        .filter_map(move |line| {
            if program(&line) {
                last = Some(line.trim());
            }
            closing(&line).then(|| [last.take(), Some(line)])
        })
        .flatten()
        .flatten()
}

/// The names of the failed tests, since the log's last lines need not show them.
fn failures(log: &str) -> String {
    let failed: Vec<&str> = log.lines().filter(|line| line.starts_with("test ") && line.ends_with(" FAILED")).collect();
    failed.join("\n")
}

/// Judges the chart: Helm's own rules, and the alerts against their tests.
pub(super) async fn chart(cluster: &Cluster) -> anyhow::Result<()> {
    let chart = checkout().join("charts/brickline");
    cluster.helm(["lint", "--strict"]).arg(&chart).run().await?;
    let tests = rule_tests(&chart);
    ensure!(!tests.is_empty(), "no tests of alerting rules under {}", chart.display());
    requirements::ensure(&Cache::open()?, &Progress::default(), &PROMETHEUS).await?;
    let said = Command::new("promtool").args(["test", "rules"]).args(&tests).run().await?;
    said.lines().for_each(|line| println!("    {}", line.trim()));
    Ok(())
}

fn rule_tests(chart: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(chart.join("tests")).into_iter().flatten().flatten().map(|file| file.path());
    files.filter(|path| path.to_string_lossy().ends_with(".test.yaml")).collect()
}

pub(super) fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_runners_that_ran_something_are_quoted() {
        let log = "     Running unittests src/lib.rs (x)\n\ntest result::a ... ok\ntest result: ok. 1 passed; 0 failed; 0 ignored\n   \
                   Doc-tests x\ntest result: ok. 0 passed; 0 failed; 0 ignored\n";
        let lines: Vec<_> = closing_lines(log).collect();
        assert_eq!(lines, ["Running unittests src/lib.rs (x)", "test result: ok. 1 passed; 0 failed; 0 ignored"]);
    }

    #[test]
    fn failed_tests_are_named() {
        assert_eq!(failures("test a ... ok\ntest b ... FAILED\n"), "test b ... FAILED");
    }
}
