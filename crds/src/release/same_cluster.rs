//! The rules that tests and jobs run where the libraries were installed: on another cluster they would meet other
//! libraries. Tests would pass or fail for what is not released, and jobs run what was not tested. So do sessions of a
//! build's tests.

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

/// Whether the build of `$spec` names a cluster that the rest must name, too.
macro_rules! names_none {
    ($spec:literal) => {
        concat!(
            "!has(",
            $spec,
            ".build.databricksConnect) || !",
            $spec,
            ".build.databricksConnect.enabled || ",
            $spec,
            ".build.databricksConnect.allowOtherCluster || !has(",
            $spec,
            ".build.databricksConnect.cluster)",
        )
    };
}

/// Whether an `install` leaves its libraries on the cluster of the build of `$spec`, or leaves none.
macro_rules! is_installed_on {
    ($spec:literal, $install:literal) => {
        concat!(
            "(",
            $install,
            ".clusters.size() == 0 || ",
            $install,
            ".libraries.size() == 0 || ",
            $spec,
            ".build.databricksConnect.cluster in ",
            $install,
            ".clusters)",
        )
    };
}

/// Whether a `test` runs on the cluster of the build of `$spec`, or on none that a workspace has a name for.
macro_rules! is_tested_on {
    ($spec:literal, $test:literal) => {
        concat!(
            "((",
            $test,
            ".notebooks.size() == 0 && !has(",
            $test,
            ".tasks)) || has(",
            $test,
            ".compute.newCluster) || has(",
            $test,
            ".compute.serverless) || (has(",
            $test,
            ".compute.cluster) ? ",
            $test,
            ".compute.cluster : 'main') == ",
            $spec,
            ".build.databricksConnect.cluster)",
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

/// The rule for a spec that has all three.
macro_rules! same_cluster_of_connect {
    ($spec:literal) => {
        concat!(
            names_none!($spec),
            " || (",
            is_installed_on!($spec, "self.install"),
            " && ",
            is_tested_on!($spec, "self.test"),
            ")"
        )
    };
}

/// The build of a release; one that takes what another built has none.
pub(crate) const CONNECT: &str = concat!("!has(self.source.git) || ", same_cluster_of_connect!("self"));
/// The build of the template of a pipeline's releases.
pub(crate) const CONNECT_OF_TEMPLATE: &str = same_cluster_of_connect!("self");
/// The stage that builds, if it has its own version of `install` or `test`.
pub(crate) const CONNECT_OF_STAGES: &str = concat!(
    names_none!("self.template.spec"),
    " || !has(self.stages) || self.stages.all(s, !has(s.overrides) || (has(s.dependsOn) && s.dependsOn.size() > 0) || (",
    "(!has(s.overrides.install) || ",
    is_installed_on!("self.template.spec", "s.overrides.install"),
    ") && (!has(s.overrides.test) || ",
    is_tested_on!("self.template.spec", "s.overrides.test"),
    ")))"
);
/// What a user reads whose build breaks it.
pub(crate) const CONNECT_MESSAGE: &str = "build.databricksConnect.cluster is not where the release installs and tests (install.clusters, test.compute.cluster): \
     name the same cluster in all three, or set build.databricksConnect.allowOtherCluster: true";
