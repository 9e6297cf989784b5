//! Which values a release gets.

use std::collections::BTreeMap;

use brickline_crds::GitSource;
use rstest::rstest;
use serde_json::json;

use super::super::scope;
use super::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[rstest]
#[case("/Shared/$(params.team)", "/Shared/sales")]
#[case("/Shared/$(workspace.vars.catalog)/x", "/Shared/main_staging/x")]
#[case("$(workspace.vars.root)/x", "/Volumes/main/x")]
#[case("/Shared/$(release.commit)", "/Shared/9b1c0de9b1c0de9b1c0de9b1c0de9b1c0de9b1c0")]
#[case("/Shared/$(release.branch)", "/Shared/release/1.2")]
#[case("/Shared/$(release.ref)", "/Shared/refs/heads/release/1.2")]
#[case("/Shared/$(release.namespace)/$(release.name)", "/Shared/data/dbxdemo-0123456789ab")]
#[case("/Shared/$(release.pipeline)/$(release.stage)", "/Shared/dbxdemo/staging")]
#[case("/Shared/$(release.run)-$(release.reason)", "/Shared/20261121.4-push")]
#[case("/Shared/$$(pwd)", "/Shared/$(pwd)")]
#[case("/Shared/plain", "/Shared/plain")]
fn a_path_may_hold_names(#[case] to: &str, #[case] expected: &str) {
    assert_eq!(target(deploying(to)), expected);
}

#[test]
fn only_what_is_used_is_kept() {
    let values = scoped(&deploying("/Shared/$(params.team)")).unwrap();
    assert_eq!(values, map(&[("params.team", "sales"), ("release.name", "dbxdemo-0123456789ab")]));
}

#[test]
fn a_spec_without_names_needs_no_values() {
    let release = release(&json!({"requestedFor": "$(whoami)", "parameters": {"team": "$(params.env)"}}));
    assert_eq!(scoped(&release).unwrap(), map(&[]));
}

#[test]
fn a_releases_own_value_goes_before_the_pipelines_default() {
    let mut release = deploying("/Shared/$(params.env)/$(params.team)");
    release.spec.parameters = map(&[("env", "production")]);
    assert_eq!(target(release), "/Shared/production/sales");
}

#[test]
fn without_a_pipeline_the_release_says_which_parameters_there_are() {
    let mut release = deploying("/Shared/$(params.anything)");
    release.metadata.labels = None;
    release.spec.parameters = map(&[("anything", "x"), ("unused", "y")]);
    let values = scope(&release, None, "", None, Some(&workspace())).unwrap();
    assert_eq!(values["params.anything"], "x");
    release.spec.parameters.clear();
    let errors = scope(&release, None, "", None, Some(&workspace())).unwrap_err();
    assert_eq!(
        errors,
        ["deploy.items[0].to uses $(params.anything), which is not a parameter of this release; it has: none"]
    );
}

#[test]
fn a_release_of_an_artifact_knows_the_commit_it_was_built_from() {
    let mut release = deploying("/Shared/$(release.branch)");
    release.spec.source.git = None;
    let origin = GitSource { reference: "refs/tags/v1".into(), ..GitSource::default() };
    let of = |origin| scope(&release, origin, "", Some(&pipeline()), Some(&workspace()));
    assert_eq!(of(Some(&origin)).unwrap()["release.branch"], "v1");
    assert!(of(None).unwrap_err()[0].contains("several commits"));
}

#[test]
fn secrets_are_not_among_the_values() {
    let parameters = json!({"key": "$(workspace.vars.apiKey)", "env": "$(params.env)"});
    let release = release(&json!({"test": {"notebooks": [{"match": "**", "parameters": parameters}]}}));
    let expected = map(&[("params.env", "staging"), ("release.name", "dbxdemo-0123456789ab")]);
    assert_eq!(scoped(&release).unwrap(), expected);
}

#[test]
fn arguments_of_tests_keep_what_only_their_program_knows() {
    let args = json!(["$(pwd)", "$(git rev-parse HEAD)", "--env=$(params.env)", "$$(params.env)"]);
    let release = release(&json!({"build": {"tests": {"args": args}}}));
    let variables = scoped(&release).unwrap();
    let release = with(release, variables);
    let filled = super::super::effective(&release);
    let expected = ["$(pwd)", "$(git rev-parse HEAD)", "--env=staging", "$(params.env)"];
    assert_eq!(filled.spec.build.tests.args, expected);
}

#[test]
fn scripts_of_jobs_keep_what_only_their_shell_knows() {
    let step = json!({"name": "a", "run": "cd $(mktemp -d) && echo $(whoami) $(params.env)", "variables": {"B": "$(release.branch)"}});
    let release = release(&json!({"build": {"jobs": [{"name": "lint", "steps": [step]}]}}));
    let stored = with(release.clone(), scoped(&release).unwrap());
    let step = super::super::effective(&stored).spec.build.jobs[0].steps[0].clone();
    assert_eq!(step.run, "cd $(mktemp -d) && echo $(whoami) staging");
    assert_eq!(step.variables["B"], "release/1.2");
    let wrong =
        json!({"jobs": [{"name": "lint", "variables": {"A": "$(whoami)"}, "steps": [{"name": "a", "run": "true"}]}]});
    let errors = scoped(&super::release(&json!({"build": wrong}))).unwrap_err();
    assert!(errors[0].contains("build.jobs[0].variables.A uses $(whoami)"), "{errors:?}");
}

#[test]
fn a_bundles_strings_have_variables_and_its_image_has_none() {
    let bundle = json!({"path": "$(params.team)/etl", "target": "$(params.env)", "variables": {"c": "$(workspace.vars.catalog)"}});
    let release = release(&json!({"deploy": {"bundle": bundle}}));
    let variables = scoped(&release).unwrap();
    let stored = with(release, variables);
    let filled = super::super::effective(&stored).spec.deploy.bundle.clone().unwrap();
    assert_eq!((filled.path.as_str(), filled.target.as_str()), ("sales/etl", "staging"));
    assert_eq!(filled.variables["c"], "main_staging");
}
