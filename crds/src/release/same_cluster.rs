//! The rules that tests and jobs run where the libraries were installed: on another cluster they would meet other
//! libraries. Tests would pass or fail for what is not released, and jobs run what was not tested.

/// Whether a `compute` has the release's libraries: it is made for the run, or one that they were installed on.
macro_rules! is_ours {
    ($compute:literal, $install:literal) => {
        concat!(
            "has(",
            $compute,
            ".newCluster) || has(",
            $compute,
            ".serverless) || (has(",
            $compute,
            ".cluster) ? ",
            $compute,
            ".cluster : 'main') in ",
            $install,
            ".clusters",
        )
    };
}

/// The rule for an `install` and a `test`, wherever they stand.
macro_rules! same_cluster {
    ($install:literal, $test:literal, $compute:literal) => {
        concat!(
            "(",
            $install,
            ".clusters.size() == 0 || ",
            $install,
            ".libraries.size() == 0 || (",
            $test,
            ".notebooks.size() == 0 && !has(",
            $test,
            ".tasks)) || ",
            $test,
            ".allowOtherCluster || ",
            is_ours!($compute, $install),
            ")",
        )
    };
}

/// The rule for an `install` and an `operate`, wherever they stand.
macro_rules! same_cluster_of_jobs {
    ($install:literal, $operate:literal) => {
        concat!(
            "(",
            $install,
            ".clusters.size() == 0 || ",
            $install,
            ".libraries.size() == 0 || ",
            $operate,
            ".allowOtherCluster || ",
            $operate,
            ".jobs.all(job, job.tasks.all(task, has(task.compute) ? (",
            is_ours!("task.compute", $install),
            ") : (",
            is_ours!("job.compute", $install),
            "))))",
        )
    };
}

/// A release, or the template of a pipeline's releases.
pub(crate) const RELEASE: &str = same_cluster!("self.install", "self.test", "self.test.compute");
/// A stage that has its own version of both.
pub(crate) const OVERRIDES: &str = concat!(
    "!has(self.install) || !has(self.test) || ",
    same_cluster!("self.install", "self.test", "self.test.compute")
);
/// A stage that has its own version of one of them.
pub(crate) const STAGES: &str = concat!(
    "!has(self.stages) || self.stages.all(s, !has(s.overrides) || has(s.overrides.install) == has(s.overrides.test) || \
     (has(s.overrides.install) ? ",
    same_cluster!("s.overrides.install", "self.template.spec.test", "self.template.spec.test.compute"),
    " : ",
    same_cluster!("self.template.spec.install", "s.overrides.test", "s.overrides.test.compute"),
    "))"
);
/// What a user reads who breaks it.
pub(crate) const MESSAGE: &str = "test.compute.cluster is none of install.clusters: on another cluster the tests would meet other libraries; add it there, \
     test on one of them, or set test.allowOtherCluster: true";

/// The jobs of a release, or of the template of a pipeline's releases.
pub(crate) const JOBS: &str = same_cluster_of_jobs!("self.install", "self.operate");
/// A stage that has its own version of both.
pub(crate) const JOBS_OF_OVERRIDES: &str =
    concat!("!has(self.install) || !has(self.operate) || ", same_cluster_of_jobs!("self.install", "self.operate"));
/// A stage that has its own version of one of them.
pub(crate) const JOBS_OF_STAGES: &str = concat!(
    "!has(self.stages) || self.stages.all(s, !has(s.overrides) || has(s.overrides.install) == has(s.overrides.operate) || \
     (has(s.overrides.install) ? ",
    same_cluster_of_jobs!("s.overrides.install", "self.template.spec.operate"),
    " : ",
    same_cluster_of_jobs!("self.template.spec.install", "s.overrides.operate"),
    "))"
);
/// What a user reads whose jobs break it.
pub(crate) const JOBS_MESSAGE: &str = "a job's compute.cluster is none of install.clusters: on another cluster the job would meet other libraries than \
     the tests; add it there, run the job on one of them, or set operate.allowOtherCluster: true";
