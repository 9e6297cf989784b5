//! The rules that no part has a longer timeout than the whole, which ends it in any case. A teardown is no such part:
//! it has its time besides.
//!
//! Whoever shortens the whole need not repeat the defaults of its parts: those may stay longer.

/// Whether the runs of a `test` are over in time, wherever it and its `timeouts` stand.
macro_rules! tests_within {
    ($test:literal, $timeouts:literal) => {
        concat!(
            "(",
            $test,
            ".notebooks.all(n, n.timeout == '1h' || duration(n.timeout) <= duration(",
            $timeouts,
            ".test)) && (!has(",
            $test,
            ".tasks) || ",
            $test,
            ".tasks.all(t, t.timeout == '1h' || duration(t.timeout) <= duration(",
            $timeouts,
            ".test))) && (!has(",
            $test,
            ".setup) || ",
            $test,
            ".setup.timeout == '10m' || duration(",
            $test,
            ".setup.timeout) <= duration(",
            $timeouts,
            ".test)))",
        )
    };
}

/// The same for the jobs of a `build`.
macro_rules! jobs_within {
    ($build:literal, $timeouts:literal) => {
        concat!(
            "(!has(",
            $build,
            ".jobs) || ",
            $build,
            ".jobs.all(j, !has(j.timeout) || duration(j.timeout) <= duration(",
            $timeouts,
            ".build)))",
        )
    };
}

/// A release, or the template of a pipeline's releases.
pub(crate) const TESTS: &str = tests_within!("self.test", "self.timeouts");
/// A stage that has its own version of both.
pub(crate) const TESTS_OF_OVERRIDES: &str =
    concat!("!has(self.test) || !has(self.timeouts) || ", tests_within!("self.test", "self.timeouts"));
/// A stage that has its own version of one of them.
pub(crate) const TESTS_OF_STAGES: &str = concat!(
    "!has(self.stages) || self.stages.all(s, !has(s.overrides) || \
     has(s.overrides.test) == has(s.overrides.timeouts) || (has(s.overrides.test) ? ",
    tests_within!("s.overrides.test", "self.template.spec.timeouts"),
    " : ",
    tests_within!("self.template.spec.test", "s.overrides.timeouts"),
    "))"
);
/// What a user reads whose tests break it.
pub(crate) const TESTS_MESSAGE: &str = "test.notebooks[].timeout, test.tasks[].timeout and test.setup.timeout are at \
    most timeouts.test, which ends all of Test: raise timeouts.test, or shorten theirs; a stage's overrides.timeouts \
    replace all of the template's";

/// The build of a release; one that takes what another built has none.
pub(crate) const JOBS: &str = concat!("!has(self.source.git) || ", jobs_within!("self.build", "self.timeouts"));
/// The build of the template of a pipeline's releases.
pub(crate) const JOBS_OF_TEMPLATE: &str = jobs_within!("self.build", "self.timeouts");
/// The stage that builds, if it has its own timeouts: `creation/stages.rs` of the controller says which one that is.
pub(crate) const JOBS_OF_STAGES: &str = concat!(
    "!has(self.stages) || self.stages.filter(s, !has(s.dependsOn) || s.dependsOn.size() == 0).size() != 1 || \
     self.stages.all(s, (has(s.dependsOn) && s.dependsOn.size() > 0) || has(s.condition) || !has(s.overrides) || \
     !has(s.overrides.timeouts) || ",
    jobs_within!("self.template.spec.build", "s.overrides.timeouts"),
    ")"
);
/// What a user reads whose jobs break it.
pub(crate) const JOBS_MESSAGE: &str = "build.jobs[].timeout is at most timeouts.build, which ends all of Build: raise \
    timeouts.build, or shorten the job's; a stage's overrides.timeouts replace all of the template's";

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::examples::{Example, rows};
    use crate::release::tests::{artifact, git, release};
    use crate::{Fixture, Rules};

    /// Releases whose parts are over in time, and others.
    pub(crate) fn examples() -> impl Iterator<Item = Example> {
        taken().into_iter().map(Example::taken).chain(refused().into_iter().map(Example::refused))
    }

    fn notebook(timeout: &str, timeouts: &Value) -> Value {
        release(&git(), json!({"test": {"notebooks": [{"match": "a", "timeout": timeout}]}, "timeouts": timeouts}))
    }

    fn task(timeout: &str) -> Value {
        let task = json!({"name": "a", "timeout": timeout, "sparkPython": {"file": "a.py"}});
        release(&git(), json!({"test": {"tasks": [task]}}))
    }

    fn fixture(name: &str, timeout: &str) -> Value {
        release(&git(), json!({"test": {name: {"path": "a", "timeout": timeout}}}))
    }

    fn job(timeout: &str, timeouts: &Value) -> Value {
        let job = json!({"name": "lint", "timeout": timeout, "steps": [{"name": "ruff", "run": "ruff check ."}]});
        json!({"build": {"jobs": [job]}, "timeouts": timeouts})
    }

    fn taken() -> Vec<Value> {
        rows! {
            notebook("2h", &json!({}));
            notebook("120m", &json!({"test": "7200s"}));
            notebook("3h", &json!({"test": "3h"}));
            notebook("1h", &json!({"test": "10m"}));
            task("2h");
            fixture("setup", "2h");
            fixture("teardown", "24h");
            release(&git(), json!({"timeouts": {"test": "1m"}, "test": {"setup": {"path": "a"}}}));
            release(&git(), job("1h", &json!({})));
            release(&git(), job("90m", &json!({"build": "90m"})));
            release(&artifact(), job("90m", &json!({})));
        }
    }

    fn refused() -> Vec<(Value, &'static str)> {
        rows! {
            notebook("2h1s", &json!({})) => "are at most timeouts.test";
            notebook("50m", &json!({"test": "45m"})) => "are at most timeouts.test";
            task("2h1s") => "are at most timeouts.test";
            fixture("setup", "2h1s") => "are at most timeouts.test";
            release(&git(), job("1h1s", &json!({}))) => "is at most timeouts.build";
            release(&git(), job("10m", &json!({"build": "5m"}))) => "is at most timeouts.build";
        }
    }

    #[test]
    fn the_defaults_of_parts_may_be_longer() {
        let setup: Fixture = serde_json::from_value(json!({"path": "a"})).unwrap();
        assert!(TESTS.contains(&format!("n.timeout == '{0}' || ", Rules::default().timeout)));
        assert!(TESTS.contains(&format!("t.timeout == '{0}' || ", Rules::default().timeout)));
        assert!(TESTS.contains(&format!("setup.timeout == '{0}' || ", setup.timeout)));
    }
}
