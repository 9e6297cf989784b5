//! Tests are found as tracked files and handed to pytest one by one: a file named `test-addcol.py` is a test by its
//! name's beginning, but pytest's own search wants an underscore and would pass it over in silence.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use brickline_artifact::notebook;
use brickline_artifact::result::Reason;
use brickline_artifact::selection::Selection;

use super::shop::{Failure, Shop};
use super::{install, venv};
use crate::Run;
use crate::junit;
use crate::place::name;
use crate::process::Ending;
use crate::source::SourceInfo;

/// Files in one call of pytest: more wouldn't fit a command line.
const MAX_FILES: usize = 500;
/// Files that make a folder a project with settings of its own.
const PROJECT_FILES: &[&str] = &["setup.py", "pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg"];

/// The files of one call of pytest, relative to the tree.
type Group = Vec<String>;

/// Finds the tests: the plan's paths, or every tracked file named like a test that isn't a notebook.
pub fn find(run: &Run, source: &SourceInfo) -> Result<Vec<Group>, Failure> {
    let python: Vec<&str> =
        source.regular().map(|file| file.path.as_str()).filter(|path| path.strip_suffix(".py").is_some()).collect();
    let is_test = |path: &str| is_test_name(path) && !is_notebook(&run.place.source, path);
    let files = if run.plan.tests.paths.is_empty() {
        python.into_iter().filter(|path| is_test(path)).map(ToOwned::to_owned).collect()
    } else {
        asked_for(&run.plan.tests.paths, &python, is_test)?
    };
    Ok(group(files, source))
}

fn is_test_name(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.starts_with("test") || file.ends_with("_test.py")
}

fn is_notebook(root: &Path, path: &str) -> bool {
    let mut head = Vec::new();
    let read =
        File::open(root.join(path)).and_then(|file| file.take(notebook::HEAD_BYTES as u64).read_to_end(&mut head));
    read.is_ok() && notebook::recognise(path, &head).is_some()
}

/// Resolves files, folders and globs; one that leads to nothing is a mistake worth failing for.
fn asked_for(paths: &[String], python: &[&str], is_test: impl Fn(&str) -> bool) -> Result<BTreeSet<String>, Failure> {
    let mut files = BTreeSet::new();
    for asked in paths {
        let asked = asked.trim_start_matches("./").trim_end_matches('/');
        let folder = format!("{asked}/");
        let glob = Selection::new(&[asked.to_owned()], &[]).map_err(|error| Failure::build(error.to_string()))?;
        let before = files.len();
        let meant = |path: &str| path == asked || glob.contains(path) || (path.starts_with(&folder) && is_test(path));
        files.extend(python.iter().filter(|path| meant(path)).map(ToString::to_string));
        if files.len() == before {
            let message = format!("build.tests.paths names {asked}, where no tracked test is");
            return Err(Failure::new(Reason::NoTestReport, message));
        }
    }
    Ok(files)
}

/// One group for each project, so that its settings count; two modules of one name can't be in the same call unless
/// packages tell them apart.
fn group(files: BTreeSet<String>, source: &SourceInfo) -> Vec<Group> {
    let tracked: BTreeSet<&str> = source.files.iter().map(|file| file.path.as_str()).collect();
    let mut projects: BTreeMap<String, Vec<(BTreeSet<String>, Group)>> = BTreeMap::new();
    for file in files {
        let module = module(&file, &tracked);
        let calls = projects.entry(project(&file, &tracked)).or_default();
        match calls.iter_mut().find(|(modules, call)| call.len() < MAX_FILES && !modules.contains(&module)) {
            Some((modules, call)) => {
                modules.insert(module);
                call.push(file);
            }
            None => calls.push((BTreeSet::from([module]), vec![file])),
        }
    }
    projects.into_values().flatten().map(|(_, call)| call).collect()
}

fn project(file: &str, tracked: &BTreeSet<&str>) -> String {
    let folders = file.rmatch_indices('/').map(|(end, _)| &file[..end]);
    let has_settings =
        |folder: &&str| PROJECT_FILES.iter().any(|name| tracked.contains(format!("{folder}/{name}").as_str()));
    folders.into_iter().find(has_settings).unwrap_or("").to_owned()
}

/// The module's name as pytest will import it: in a package, with the package's.
fn module(file: &str, tracked: &BTreeSet<&str>) -> String {
    let mut start = file.rfind('/').map_or(0, |end| end + 1);
    while let Some(folder) =
        file[..start].strip_suffix('/').filter(|folder| tracked.contains(format!("{folder}/__init__.py").as_str()))
    {
        start = folder.rfind('/').map_or(0, |end| end + 1);
    }
    file[start..].to_owned()
}

/// Runs all groups, so that the report is whole, and judges each.
pub fn run(shop: &mut Shop<'_>, groups: &[Group]) -> Result<(), Failure> {
    if groups.is_empty() {
        return Ok(());
    }
    install::tool(shop, "pytest")?;
    let mut first = Ok(());
    for (index, group) in groups.iter().enumerate() {
        let step =
            if groups.len() == 1 { "pytest".to_owned() } else { format!("pytest {} of {}", index + 1, groups.len()) };
        let report = format!("{}/TEST-{}.xml", name::REPORTS, index + 1);
        let result = run_group(shop, &step, group, &report)?;
        first = first.and(result);
    }
    first
}

/// The outer error ends all steps, the inner one is the group's verdict.
fn run_group(shop: &mut Shop<'_>, step: &str, group: &Group, report: &str) -> Result<Result<(), Failure>, Failure> {
    let report = shop.work(report);
    let mut command = venv::command(shop, &["-m", "pytest"]);
    command.current_dir(shop.work(name::TREE)).args(&shop.run.plan.tests.args);
    command.arg(format!("--junit-xml={}", report.display()));
    command.args(group.iter().map(|file| format!("./{file}")));
    let ending = shop.attempt(step, &mut command)?;
    // At once: a later step may be killed, and the reports before it are handed in.
    super::reports::redact(shop)?;
    let complaint = shop.complaint(step, &ending);
    Ok(verdict(&ending, &report, complaint))
}

/// Pytest's exit codes: 0 passed, 1 failed, 2 stopped (a module that can't be imported), 5 nothing to run.
fn verdict(ending: &Ending, report: &Path, complaint: String) -> Result<(), Failure> {
    let suites = std::fs::read(report).ok().map(|content| junit::read(&content));
    let failed = |suites: &[junit::Suite]| junit::count(suites).failed > 0;
    match (ending.code(), suites) {
        (Some(0 | 5), Some(Ok(_))) => Ok(()),
        (Some(1 | 2), Some(Ok(suites))) if failed(&suites) => {
            Err(Failure::new(Reason::TestsFailed, junit::summarise(&suites)))
        }
        (Some(0 | 1), None) => Err(Failure::new(Reason::NoTestReport, "pytest left no report")),
        (Some(0 | 1), Some(Err(broken))) => {
            Err(Failure::new(Reason::NoTestReport, format!("pytest's report: {broken}")))
        }
        (Some(1), _) => Err(Failure::new(Reason::TestsFailed, complaint)),
        _ => Err(Failure::build(complaint)),
    }
}

#[cfg(test)]
mod self_tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("libraries/python/dbxdemo/test-addcol.py", true)]
    #[case("test_x.py", true)]
    #[case("a/x_test.py", true)]
    #[case("a/contest.py", false)]
    #[case("test/helper.py", false)]
    fn names_decide(#[case] path: &str, #[case] test: bool) {
        assert_eq!(is_test_name(path), test);
    }

    #[test]
    fn modules_of_one_name_are_kept_apart_unless_packages_do() {
        let tracked = BTreeSet::from(["p/__init__.py", "p/q/__init__.py"]);
        assert_eq!(module("p/q/test_a.py", &tracked), "p/q/test_a.py");
        assert_eq!(module("x/y/test_a.py", &tracked), "test_a.py");
        assert_eq!(module("test_a.py", &tracked), "test_a.py");
    }

    #[test]
    fn exit_codes_are_judged_with_the_report() {
        let folder = tempfile::tempdir().expect("a folder");
        let report = |text: &str| {
            let path = folder.path().join("r.xml");
            std::fs::write(&path, text).expect("written");
            path
        };
        let judge =
            |code, path: &Path| verdict(&Ending::Exited(code), path, "said".into()).err().map(|failure| failure.reason);
        let failing = "<testsuites><testsuite><testcase name='x'><failure/></testcase></testsuite></testsuites>";
        assert_eq!(judge(0, &report("<testsuites/>")), None);
        assert_eq!(judge(5, &report("<testsuites/>")), None);
        assert_eq!(judge(1, &report(failing)), Some(Reason::TestsFailed));
        assert_eq!(judge(2, &report(failing)), Some(Reason::TestsFailed));
        assert_eq!(judge(1, &report("<testsuites/>")), Some(Reason::TestsFailed));
        assert_eq!(judge(4, &report("<testsuites/>")), Some(Reason::BuildFailed));
        assert_eq!(judge(137, &report("")), Some(Reason::BuildFailed));
        assert_eq!(judge(0, &report("")), Some(Reason::NoTestReport));
        assert_eq!(judge(0, Path::new("/nowhere")), Some(Reason::NoTestReport));
    }
}
