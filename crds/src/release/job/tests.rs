//! The rules of a build's jobs, evaluated as the API server does, and what is planned of them.

use rstest::rstest;
use serde_json::{Value, json};

use crate::{Build, DatabricksRelease};

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

fn refusal(build: &Value) -> Option<String> {
    let source = json!({"git": {
        "url": "https://git.example.com/data/dbxdemo.git",
        "ref": "refs/heads/release",
        "commit": "9b1c0de4a1f25c3e7d6b8a9f0c1d2e3f4a5b6c7d",
    }});
    let spec = serde_json::from_value(json!({"source": source, "build": build})).expect("a spec");
    let release = DatabricksRelease::new("by-hand", spec);
    release.validate_cel().err().map(|errors| errors.to_string())
}

#[rstest]
#[case(json!({"jobs": [job("lint", json!({}))]}))]
#[case(json!({"jobs": [job("lint", json!({"image": "registry.example.com/node:22", "pool": "small", "pythonVersion": "3.11", "timeout": "5m", "continueOnError": true}))]}))]
#[case(json!({"jobs": [job("lint", json!({})), job("unit", json!({"dependsOn": ["lint"], "condition": "jobs.lint.result == 'Failed'"}))], "dependsOn": ["unit"]}))]
#[case(json!({"jobs": [job("a", matrix(11)), job("b", json!({}))]}))]
#[case(json!({"jobs": [job("a", json!({"dependsOn": ["b"]})), job("b", json!({}))]}))]
#[case(json!({"jobs": [job("a", json!({"variables": {"_BRANCH": "$(release.branch)"}, "strategy": {"maxParallel": 1, "matrix": [{"name": "x", "variables": {"A": "b"}, "image": "i:1", "pythonVersion": "3.9"}]}}))]}))]
#[case(json!({"jobs": [job("a", step(json!({"workingDirectory": "libraries/python", "condition": "Always", "timeout": "1m", "variables": {"A": "b"}})))]}))]
fn is_taken(#[case] build: Value) {
    assert_eq!(refusal(&build), None);
}

#[rstest]
#[case(json!({"jobs": [job("Lint", json!({}))]}), "a job's name is a lower-case word")]
#[case(json!({"jobs": [job("artifact", json!({}))]}), "give this one another name")]
#[case(json!({"jobs": [job("a", json!({"image": "$(params.image)"}))]}), "image is an image's address")]
#[case(json!({"jobs": [job("a", json!({"pool": "GPU"}))]}), "pool is one of the chart's builds.pools")]
#[case(json!({"jobs": [job("a", json!({"pythonVersion": "3"}))]}), "pythonVersion is major.minor")]
#[case(json!({"jobs": [job("a", json!({"variables": {"a-b": "c"}}))]}), "names of variables are words")]
#[case(json!({"jobs": [job("a", json!({"variables": {"BRICKLINE_PLAN": "c"}}))]}), "BRICKLINE_ is the runner's own")]
#[case(json!({"jobs": [job("a", json!({"reports": ["/tmp/a.xml"]}))]}), "relative to the repository's root")]
#[case(json!({"jobs": [job("a", json!({"condition": "true"}))]}), "condition is about the jobs of dependsOn")]
#[case(json!({"jobs": [job("a", json!({"dependsOn": ["a"]}))]}), "dependsOn names other jobs")]
#[case(json!({"jobs": [job("a", json!({"dependsOn": ["c"]}))]}), "dependsOn names other jobs")]
#[case(json!({"jobs": [job("a", matrix(12)), job("b", json!({}))]}), "at most 12 jobs")]
#[case(json!({"jobs": [job("a", json!({}))], "dependsOn": ["b"]}), "build.dependsOn names jobs of build.jobs")]
#[case(json!({"dependsOn": ["b"]}), "build.dependsOn names jobs of build.jobs")]
#[case(json!({"jobs": [job("a", json!({"strategy": {"matrix": [{"name": "3.11"}]}}))]}), "a copy's name is a lower-case word")]
#[case(json!({"jobs": [job("a", json!({"strategy": {"matrix": [{"name": "b", "image": "a b"}]}}))]}), "image is an image's address")]
#[case(json!({"jobs": [job("a", json!({"strategy": {"matrix": [{"name": "b", "pythonVersion": "2.7"}]}}))]}), "pythonVersion is major.minor")]
#[case(json!({"jobs": [job("a", json!({"strategy": {"matrix": [{"name": "b", "variables": {"1": ""}}]}}))]}), "names of variables are words")]
#[case(json!({"jobs": [job("a", step(json!({"name": "a/b"})))]}), "a step's name has letters")]
#[case(json!({"jobs": [job("a", step(json!({"workingDirectory": "../a"})))]}), "workingDirectory is a folder of the repository")]
#[case(json!({"jobs": [job("a", step(json!({"variables": {"a b": ""}})))]}), "names of variables are words")]
fn is_refused_with_a_sentence(#[case] build: Value, #[case] sentence: &str) {
    let refusal = refusal(&build).expect("a refusal");
    assert!(refusal.contains(sentence), "{refusal}");
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
