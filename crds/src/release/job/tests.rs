//! The rules of a build's jobs, evaluated as the API server does, and what is planned of them.

use serde_json::{Value, json};

use crate::Build;
use crate::examples::{Example, rows};
use crate::release::tests::{git, release};

/// A job with these fields besides a name and a step.
fn job(name: &str, fields: Value) -> Value {
    let mut job = json!({"name": name, "steps": [{"name": "ruff", "run": "ruff check ."}]});
    let Value::Object(fields) = fields else { panic!("fields of a job") };
    job.as_object_mut().unwrap().extend(fields);
    job
}

fn matrix(copies: usize) -> Value {
    let copies: Vec<_> = (0..copies).map(|copy| json!({"name": format!("py3{copy}")})).collect();
    json!({"strategy": {"matrix": copies}})
}

fn step(fields: Value) -> Value {
    let mut step = json!({"name": "a step 1.0", "run": "true"});
    let Value::Object(fields) = fields else { panic!("fields of a step") };
    step.as_object_mut().unwrap().extend(fields);
    json!({"steps": [step]})
}

/// Releases of these builds.
pub(crate) fn examples() -> impl Iterator<Item = Example> {
    let of = |build: Value| release(&git(), json!({"build": build}));
    let taken = taken().into_iter().map(move |build| Example::taken(of(build)));
    taken.chain(refused().into_iter().map(move |(build, words)| Example::refused((of(build), words))))
}

/// Builds that are taken.
fn taken() -> Vec<Value> {
    rows! {
        json!({"jobs": [job("lint", json!({}))]});
        json!({"jobs": [job("lint", json!({"image": "registry.example.com/node:22", "pool": "small", "pythonVersion": "3.11", "timeout": "5m", "continueOnError": true}))]});
        json!({"jobs": [job("lint", json!({})), job("unit", json!({"dependsOn": ["lint"], "condition": "jobs.lint.result == 'Failed'"}))], "dependsOn": ["unit"]});
        json!({"jobs": [job("a", matrix(11)), job("b", json!({}))]});
        json!({"jobs": [job("a", json!({"dependsOn": ["b"]})), job("b", json!({}))]});
        json!({"jobs": [job("a", json!({"variables": {"_BRANCH": "$(release.branch)"}, "strategy": {"maxParallel": 1, "matrix": [{"name": "x", "variables": {"A": "b"}, "image": "i:1", "pythonVersion": "3.9"}]}}))]});
        json!({"jobs": [job("a", step(json!({"workingDirectory": "libraries/python", "condition": "Always", "timeout": "1m", "variables": {"A": "b"}})))]});
    }
}

/// Builds that are refused, and in which words.
fn refused() -> Vec<(Value, &'static str)> {
    rows! {
        json!({"jobs": [job("Lint", json!({}))]}) => "a job's name is a lower-case word";
        json!({"jobs": [job("artifact", json!({}))]}) => "give this one another name";
        json!({"jobs": [job("a", json!({"image": "$(params.image)"}))]}) => "image is an image's address";
        json!({"jobs": [job("a", json!({"pool": "GPU"}))]}) => "pool is one of the chart's builds.pools";
        json!({"jobs": [job("a", json!({"pythonVersion": "3"}))]}) => "pythonVersion is major.minor";
        json!({"jobs": [job("a", json!({"variables": {"a-b": "c"}}))]}) => "names of variables are words";
        json!({"jobs": [job("a", json!({"variables": {"BRICKLINE_PLAN": "c"}}))]}) => "BRICKLINE_ is the runner's own";
        json!({"jobs": [job("a", json!({"reports": ["/tmp/a.xml"]}))]}) => "relative to the repository's root";
        json!({"jobs": [job("a", json!({"condition": "true"}))]}) => "condition is about the jobs of dependsOn";
        json!({"jobs": [job("a", json!({"dependsOn": ["a"]}))]}) => "dependsOn names other jobs";
        json!({"jobs": [job("a", json!({"dependsOn": ["c"]}))]}) => "dependsOn names other jobs";
        json!({"jobs": [job("a", matrix(12)), job("b", json!({}))]}) => "at most 12 jobs";
        json!({"jobs": [job("a", json!({}))], "dependsOn": ["b"]}) => "build.dependsOn names jobs of build.jobs";
        json!({"dependsOn": ["b"]}) => "build.dependsOn names jobs of build.jobs";
        json!({"jobs": [job("a", json!({"strategy": {"matrix": [{"name": "3.11"}]}}))]}) => "a copy's name is a lower-case word";
        json!({"jobs": [job("a", json!({"strategy": {"matrix": [{"name": "b", "image": "a b"}]}}))]}) => "image is an image's address";
        json!({"jobs": [job("a", json!({"strategy": {"matrix": [{"name": "b", "pythonVersion": "2.7"}]}}))]}) => "pythonVersion is major.minor";
        json!({"jobs": [job("a", json!({"strategy": {"matrix": [{"name": "b", "variables": {"1": ""}}]}}))]}) => "names of variables are words";
        json!({"jobs": [job("a", step(json!({"name": "a/b"})))]}) => "a step's name has letters";
        json!({"jobs": [job("a", step(json!({"workingDirectory": "../a"})))]}) => "workingDirectory is a folder of the repository";
        json!({"jobs": [job("a", step(json!({"variables": {"a b": ""}})))]}) => "names of variables are words";
    }
}

#[test]
fn every_copy_is_planned_with_the_pool_of_its_job() {
    let unit = job(
        "unit",
        json!({"pool": "large", "dependsOn": ["lint"], "strategy": {"matrix": [{"name": "py310"}, {"name": "py311"}]}}),
    );
    let build = json!({"pool": "small", "dependsOn": ["lint"], "jobs": [job("lint", json!({})), unit]});
    let build: Build = serde_json::from_value(build).expect("a build");
    let planned = build.planned();
    let planned: Vec<_> = planned.iter().map(|job| (job.name.as_str(), job.pool, job.depends_on.len())).collect();
    assert_eq!(
        planned,
        [("artifact", "small", 1), ("lint", "small", 0), ("unit.py310", "large", 1), ("unit.py311", "large", 1)]
    );
}
