//! The rule that tests run where the libraries were installed: on another cluster they would meet other libraries, and
//! pass or fail for what is not released.

/// The rule for an `install` and a `test`, wherever they stand.
macro_rules! same_cluster {
    ($install:literal, $test:literal) => {
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
            ".allowOtherCluster || has(",
            $test,
            ".compute.newCluster) || has(",
            $test,
            ".compute.serverless) || (has(",
            $test,
            ".compute.cluster) ? ",
            $test,
            ".compute.cluster : 'main') in ",
            $install,
            ".clusters)",
        )
    };
}

/// A release, or the template of a pipeline's releases.
pub(crate) const RELEASE: &str = same_cluster!("self.install", "self.test");
/// A stage that has its own version of both.
pub(crate) const OVERRIDES: &str =
    concat!("!has(self.install) || !has(self.test) || ", same_cluster!("self.install", "self.test"));
/// A stage that has its own version of one of them.
pub(crate) const STAGES: &str = concat!(
    "!has(self.stages) || self.stages.all(s, !has(s.overrides) || has(s.overrides.install) == has(s.overrides.test) || \
     (has(s.overrides.install) ? ",
    same_cluster!("s.overrides.install", "self.template.spec.test"),
    " : ",
    same_cluster!("self.template.spec.install", "s.overrides.test"),
    "))"
);
/// What a user reads who breaks it.
pub(crate) const MESSAGE: &str = "test.compute.cluster is none of install.clusters: on another cluster the tests would meet other libraries; add it there, \
     test on one of them, or set test.allowOtherCluster: true";
