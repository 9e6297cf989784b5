//! Judging reads every report the build left: a failure in any of them fails the build, and so does a missing one.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::Path;

use brickline_artifact::plan::Required;
use brickline_artifact::result::Reason;
use brickline_artifact::selection::Selection;

use super::shop::{Failure, Shop};
use crate::beneath::Root;
use crate::junit::{self, Suite};
use crate::place::{Place, name};
use crate::source::{SourceInfo, make_readable};

/// The most entries of the tree that are looked at for reports.
const MAX_ENTRIES: usize = 500_000;
/// The most reports that are read.
const MAX_REPORTS: usize = 5_000;

/// All reports of a build.
#[derive(Debug, Default)]
pub struct Reports {
    pub suites: Vec<Suite>,
    /// What couldn't be read, and why.
    pub broken: Vec<String>,
}

/// Judges the reports of finished steps.
pub fn judge(shop: &mut Shop<'_>, source: &SourceInfo, found_tests: bool) -> Result<(), Failure> {
    let reports = gather(shop.run, source).map_err(|error| Failure::build(format!("the reports: {error}")))?;
    verdict(&reports, is_due(shop.run.plan.tests.required, found_tests || !shop.run.plan.tests.paths.is_empty()))
}

fn is_due(required: Required, tests: bool) -> bool {
    match required {
        Required::Auto => tests,
        Required::Always => true,
        Required::Never => false,
    }
}

/// The verdict that reports alone give.
pub fn verdict(reports: &Reports, due: bool) -> Result<(), Failure> {
    if junit::count(&reports.suites).failed > 0 {
        return Err(Failure::new(Reason::TestsFailed, junit::summarise(&reports.suites)));
    }
    if let Some(broken) = reports.broken.first() {
        return Err(Failure::new(Reason::NoTestReport, broken.clone()));
    }
    if due && reports.suites.is_empty() {
        let message =
            "tests were due and none ran: no report has a test in it (build.tests.required: Never allows that)";
        return Err(Failure::new(Reason::NoTestReport, message));
    }
    Ok(())
}

/// Reads the runner's reports and those that the plan's globs find, without following links, within the limit.
pub fn gather(run: &crate::Run, source: &SourceInfo) -> std::io::Result<Reports> {
    let Place { work, .. } = &run.place;
    let root = Root::open(work)?;
    let mut left = run.plan.limits.report_bytes;
    let mut reports = Reports::default();
    for path in paths(&root, run, source)? {
        match root.read(&path, left) {
            Ok(content) => {
                left -= content.len() as u64;
                add(&mut reports, &path, &content);
            }
            Err(error) => reports.broken.push(format!("the report {path}: {error}")),
        }
    }
    Ok(reports)
}

fn add(reports: &mut Reports, path: &str, content: &[u8]) {
    match junit::read(content) {
        Ok(suites) => reports.suites.extend(suites),
        Err(broken) => reports.broken.push(format!("the report {path}: {broken}")),
    }
}

/// Takes secrets out of the reports that will be handed in. Those that can't be read are not.
pub fn redact(shop: &Shop<'_>) -> Result<(), Failure> {
    let (run, secrets) = (shop.run, shop.secrets());
    let Ok(source) = SourceInfo::read(&run.place.meta) else { return Ok(()) };
    if secrets.is_empty() {
        return Ok(());
    }
    let root = Root::open(&run.place.work)?;
    for path in paths(&root, run, &source)? {
        let content = root.read(&path, run.plan.limits.report_bytes).unwrap_or_default();
        if let Cow::Owned(masked) = secrets.masked(&String::from_utf8_lossy(&content)) {
            let why =
                |error| Failure::build(format!("the report {path} has a credential that can't be removed: {error}"));
            replace(&run.place.work.join(&path), &masked).map_err(why)?;
        }
    }
    Ok(())
}

/// Puts another file in a file's place; by a rename, which follows no link there.
fn replace(path: &Path, content: &str) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(content.as_bytes())?;
    make_readable(file.as_file())?;
    file.persist(path)?;
    Ok(())
}

/// Reports that git tracks are somebody's old ones.
fn paths(root: &Root, run: &crate::Run, source: &SourceInfo) -> std::io::Result<Vec<String>> {
    let globs = Selection::new(&run.plan.tests.reports, &[".git/**".to_owned()]).map_err(std::io::Error::other)?;
    let tracked: BTreeSet<&str> = source.files.iter().map(|file| file.path.as_str()).collect();
    let own = root.walk(name::REPORTS, MAX_REPORTS).files.into_iter();
    let tree = format!("{}/", name::TREE);
    let left = root.walk(name::TREE, MAX_ENTRIES).files.into_iter().filter(|path| {
        let inner = path.strip_prefix(&tree).unwrap_or(path);
        globs.contains(inner) && !tracked.contains(inner)
    });
    Ok(own.filter(|path| path.strip_suffix(".xml").is_some()).chain(left).take(MAX_REPORTS).collect())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Required::Auto, false, false)]
    #[case(Required::Auto, true, true)]
    #[case(Required::Always, false, true)]
    #[case(Required::Never, true, false)]
    fn reports_are_due(#[case] required: Required, #[case] tests: bool, #[case] due: bool) {
        assert_eq!(is_due(required, tests), due);
    }

    #[test]
    fn a_failure_anywhere_and_a_broken_report_both_fail() {
        let reason = |reports: &Reports, due| verdict(reports, due).err().map(|failure| failure.reason);
        let suites = junit::read(b"<testsuite><testcase name='x'><error/></testcase></testsuite>").expect("a report");
        let failing = Reports { suites, broken: vec!["b".into()] };
        assert_eq!(reason(&failing, false), Some(Reason::TestsFailed));
        assert_eq!(
            reason(&Reports { suites: Vec::new(), broken: vec!["b".into()] }, false),
            Some(Reason::NoTestReport)
        );
        assert_eq!(reason(&Reports::default(), true), Some(Reason::NoTestReport));
        assert_eq!(reason(&Reports::default(), false), None);
    }
}
