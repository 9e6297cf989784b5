//! A plan is the controller's order to one build pod: what to check out, test and build, and where to hand it in.
//!
//! It travels as JSON in the environment variable [`crate::layout::PLAN_ENV`] and holds no secret. Unknown fields are
//! tolerated, so that an older runner understands a newer controller.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The longest plan, in bytes: one environment variable holds at most 128 KiB on Linux.
pub const MAX_PLAN_BYTES: usize = 128 * 1024 - 64;

/// The order to one build pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildPlan {
    /// Whose build this is.
    pub release: ReleaseIdentity,
    /// What to check out.
    pub source: SourcePlan,
    /// Conditions that end the build as skipped, decided once the tree is there.
    #[serde(default)]
    pub conditions: Conditions,
    /// `major.minor` of the Python that the cluster runs; another one in the image is a `RuntimeMismatch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python_version: Option<String>,
    /// Globs of the tracked files that the artifact holds.
    #[serde(default = "everything")]
    pub include: Vec<String>,
    /// Globs of tracked files that it doesn't; they win.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Folders to build a wheel in. Empty: every folder with a tracked `setup.py`, or a `pyproject.toml` that has a
    /// `[build-system]` or `[project]` table.
    #[serde(default)]
    pub wheels: Vec<String>,
    /// The tests.
    #[serde(default)]
    pub tests: TestPlan,
    /// The steps of a further job, which are run instead of a build. None: the artifact is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobPlan>,
    /// Requirement files to install. Empty: each tracked `requirements*.txt` at the top or beside a wheel's folder.
    #[serde(default)]
    pub requirements: Vec<String>,
    /// The version of `databricks-connect` to install after all of them, such as `15.4.*`. None: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub databricks_connect: Option<String>,
    /// Where packages come from.
    #[serde(default)]
    pub package_index: PackageIndex,
    /// Where to hand in.
    pub upload: UploadPlan,
    /// How much there may be.
    #[serde(default)]
    pub limits: Limits,
    /// How long it may take.
    #[serde(default)]
    pub deadlines: Deadlines,
}

/// The release and the attempt a pod builds for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseIdentity {
    /// Namespace of the `DatabricksRelease`.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Which attempt of the phase or of the job, from 1.
    pub attempt: u32,
    /// The further job of the build, such as `unit.py311`; none for the one that makes the artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
}

/// One commit of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourcePlan {
    /// The repository, without credentials.
    pub url: String,
    /// The full ref that must still reach the commit, such as `refs/heads/release`.
    pub reference: String,
    /// The commit: 40 or 64 hexadecimal digits.
    pub commit: String,
    /// The last commit successfully released to the stage; changes are marked against it. None: against the commit's
    /// first parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The commit that the stage has now. A commit behind it is out of date once the ref has moved on. None: the order
    /// does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed: Option<String>,
    /// Whether submodules are checked out.
    #[serde(default = "yes")]
    pub submodules: bool,
    /// Whether Git LFS content is fetched, if `.gitattributes` asks for it.
    #[serde(default = "yes")]
    pub lfs: bool,
}

/// Conditions of the pipeline's trigger that only the tree can answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conditions {
    /// Some changed path must match one of these globs, or the build is skipped as `PathsNotMatched`. Empty: any.
    #[serde(default)]
    pub include_paths: Vec<String>,
    /// Changed paths that match these globs don't count.
    #[serde(default)]
    pub exclude_paths: Vec<String>,
    /// The commit must have more than one parent, or the build is skipped as `NotAMerge`.
    #[serde(default)]
    pub merges_only: bool,
}

/// What to test and what counts as a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestPlan {
    /// Files, folders or globs to run with pytest. Empty: each tracked `test*.py` and `*_test.py` that isn't a
    /// notebook.
    #[serde(default)]
    pub paths: Vec<String>,
    /// More arguments for pytest.
    #[serde(default)]
    pub args: Vec<String>,
    /// Globs of further JUnit reports that the build leaves in its tree.
    #[serde(default = "reports")]
    pub reports: Vec<String>,
    /// Whether a build without any test result fails.
    #[serde(default)]
    pub required: Required,
}

/// Whether test results must exist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Required {
    /// If tests were found or asked for.
    #[default]
    Auto,
    /// In any case.
    Always,
    /// Not at all; a test that runs and fails still fails the build.
    Never,
}

/// What a further job of the build does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobPlan {
    /// Environment variables of all steps.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// The steps, in order.
    pub steps: Vec<StepPlan>,
}

/// One script.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepPlan {
    /// Its name.
    pub name: String,
    /// What `sh -e` runs.
    pub run: String,
    /// The folder of the repository it runs in. None: the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
    /// Environment variables; they win over the job's.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Whether it runs, by the steps before it.
    #[serde(default)]
    pub condition: RunsIf,
    /// Seconds it may take. None: as long as the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// Whether its failure fails nothing.
    #[serde(default)]
    pub continue_on_error: bool,
}

/// When a step runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunsIf {
    /// If no step before it failed.
    #[default]
    Succeeded,
    /// If one did.
    Failed,
    /// In any case.
    Always,
}

/// Where pip finds packages. Credentials come by pip's own environment or netrc file, never by the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PackageIndex {
    /// Replaces pip's default index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_url: Option<String>,
    /// Indexes beside it.
    #[serde(default)]
    pub extra_index_urls: Vec<String>,
}

/// The controller's upload endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadPlan {
    /// Its base address, `https://`, without a trailing slash.
    pub url: String,
    /// The only certificate authorities it may be signed by, in PEM.
    pub ca_pem: String,
}

/// How much a build may leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Bytes of the artifact, and of its content before compression.
    pub artifact_bytes: u64,
    /// Files in the artifact.
    pub artifact_files: u64,
    /// Bytes of each container's log; the middle is left out beyond.
    pub log_bytes: u64,
    /// Bytes of JUnit reports read, all together, and of the merged one.
    pub report_bytes: u64,
}

/// How long parts of a build may take; the Job's own deadline stands above them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Deadlines {
    /// Seconds for the whole checkout.
    pub checkout_seconds: u64,
    /// Seconds for all steps together.
    pub steps_seconds: u64,
    /// Seconds that a stopped step has between TERM and KILL.
    pub step_grace_seconds: u64,
    /// Seconds for `collect` to hand in after its TERM; less than the pod's grace period.
    pub upload_seconds: u64,
}

/// Why a text isn't a plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Longer than [`MAX_PLAN_BYTES`].
    #[error("the plan is {0} bytes long; at most {MAX_PLAN_BYTES} fit into an environment variable")]
    TooLong(usize),
    /// Not the JSON of a plan.
    #[error("the plan is not readable: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// A field that git or pip could take for an option or that isn't of its form.
    #[error("the plan's {field} is not acceptable: {why}")]
    Field {
        /// The field's path in the plan.
        field: &'static str,
        /// The rule it breaks.
        why: &'static str,
    },
}

impl BuildPlan {
    /// Reads a plan and checks what would be dangerous in a command line.
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        if text.len() > MAX_PLAN_BYTES {
            return Err(PlanError::TooLong(text.len()));
        }
        let plan: Self = serde_json::from_str(text)?;
        plan.check()?;
        Ok(plan)
    }

    /// Writes the plan, refusing one that [`BuildPlan::from_json`] would refuse.
    pub fn to_json(&self) -> Result<String, PlanError> {
        self.check()?;
        let text = serde_json::to_string(self)?;
        if text.len() > MAX_PLAN_BYTES {
            return Err(PlanError::TooLong(text.len()));
        }
        Ok(text)
    }

    fn check(&self) -> Result<(), PlanError> {
        let source = &self.source;
        require("source.commit", is_commit(&source.commit), "expected 40 or 64 hexadecimal digits")?;
        let base = source.base.as_deref();
        require("source.base", base.is_none_or(is_commit), "expected 40 or 64 hexadecimal digits")?;
        let deployed = source.deployed.as_deref();
        require("source.deployed", deployed.is_none_or(is_commit), "expected 40 or 64 hexadecimal digits")?;
        let version = self.databricks_connect.as_deref();
        require("databricksConnect", version.is_none_or(is_version), "expected a version such as 15.4.*")?;
        require("source.reference", is_reference(&source.reference), "expected a full ref such as refs/heads/release")?;
        require(
            "source.url",
            is_repository(&source.url),
            "expected https://, http://, ssh://, file:// or user@host:path, without a password",
        )?;
        require("upload.url", self.upload.url.starts_with("https://"), "expected https://")
    }
}

fn require(field: &'static str, holds: bool, why: &'static str) -> Result<(), PlanError> {
    if holds { Ok(()) } else { Err(PlanError::Field { field, why }) }
}

/// Whether a text is a full commit name (SHA-1 or SHA-256).
#[must_use]
pub fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether pip takes a text for nothing but a version.
fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'*'))
}

/// The part of git's `check-ref-format` that keeps a ref from meaning something else in a refspec.
fn is_reference(text: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !":?*[\\^~".contains(c);
    text.starts_with("refs/") && text.len() <= 1024 && text.chars().all(plain) && !text.contains("..")
}

/// `file://` is for tests and mirrors on a volume; `ext::` and other remote helpers run commands and are refused.
fn is_repository(text: &str) -> bool {
    let clean = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let scheme = ["https://", "http://", "ssh://", "file://"].iter().any(|scheme| text.starts_with(scheme));
    clean && !has_password(text) && (scheme || is_scp_like(text))
}

/// A password in an address would end up in logs and in every process list.
fn has_password(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

fn is_scp_like(text: &str) -> bool {
    let Some((host, path)) = text.split_once(':') else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || "@.-_".contains(c);
    !host.starts_with('-')
        && host.contains('@')
        && host.chars().all(plain)
        && !path.is_empty()
        && !path.starts_with(':')
}

fn everything() -> Vec<String> {
    vec!["**".into()]
}

fn reports() -> Vec<String> {
    vec!["**/TEST-*.xml".into()]
}

const fn yes() -> bool {
    true
}

impl Default for TestPlan {
    fn default() -> Self {
        Self { paths: Vec::new(), args: Vec::new(), reports: reports(), required: Required::Auto }
    }
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self { artifact_bytes: 1024 * MIB, artifact_files: 50_000, log_bytes: 32 * MIB, report_bytes: 16 * MIB }
    }
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { checkout_seconds: 600, steps_seconds: 3600, step_grace_seconds: 10, upload_seconds: 240 }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn minimal() -> serde_json::Value {
        serde_json::json!({
            "release": {"namespace": "data", "name": "dbxdemo-1", "uid": "u", "attempt": 1},
            "source": {"url": "https://git.example.com/d.git", "reference": "refs/heads/release", "commit": "a".repeat(40)},
            "upload": {"url": "https://brickline.brickline.svc:8443", "caPem": ""},
        })
    }

    #[test]
    fn a_minimal_plan_has_the_defaults_and_survives_its_text() {
        let plan = BuildPlan::from_json(&minimal().to_string()).expect("the plan is complete");
        assert_eq!(plan.include, ["**"]);
        assert_eq!(plan.tests.reports, ["**/TEST-*.xml"]);
        assert!(plan.source.submodules && plan.source.lfs);
        let again = BuildPlan::from_json(&plan.to_json().expect("writable")).expect("readable");
        assert_eq!(again, plan);
    }

    #[test]
    fn a_newer_controllers_field_is_tolerated() {
        let mut newer = minimal();
        newer["somethingNew"] = serde_json::json!({"deep": [1, 2]});
        assert!(BuildPlan::from_json(&newer.to_string()).is_ok());
    }

    #[rstest]
    #[case("/source/url", "--upload-pack=touch /tmp/x")]
    #[case("/source/url", "ext::sh -c id")]
    #[case("/source/url", "-oProxyCommand=x@y:z")]
    #[case("/source/url", "/local/path")]
    #[case("/source/url", "https://ana:secret@git.example.com/x.git")]
    #[case("/source/reference", "release")]
    #[case("/source/reference", "refs/heads/a:refs/heads/b")]
    #[case("/source/commit", "HEAD")]
    #[case("/source/commit", "9b1c0de")]
    #[case("/upload/url", "http://plain")]
    #[case("/databricksConnect", "15.4 -r https://x")]
    #[case("/databricksConnect", "*")]
    fn a_field_that_could_be_an_option_is_refused(#[case] pointer: &str, #[case] value: &str) {
        let mut plan = minimal();
        plan["databricksConnect"] = "15.4.*".into();
        *plan.pointer_mut(pointer).expect("the field exists") = value.into();
        assert!(matches!(BuildPlan::from_json(&plan.to_string()), Err(PlanError::Field { .. })));
    }

    #[test]
    fn the_forms_of_a_repository_are_known() {
        for url in [
            "https://h/x.git",
            "ssh://git@h:22/x",
            "https://ana@h:8443/x",
            "git@github.com:a/b.git",
            "file:///srv/x.git",
        ] {
            assert!(is_repository(url), "{url}");
        }
    }
}
