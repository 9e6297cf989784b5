//! What is refused, and with which sentence.

use rstest::rstest;
use serde_json::{Value, json};

use super::super::{schema, scope};
use super::*;

#[rstest]
#[case(
    "/Shared/$(params.tema)",
    "deploy.items[0].to uses $(params.tema), which is not a parameter of pipeline dbxdemo; it has: env, retries, team, verbose"
)]
#[case(
    "/Shared/$(workspace.vars.catalgo)",
    "deploy.items[0].to uses $(workspace.vars.catalgo), which is not a variable of DatabricksWorkspace staging; it has: apiKey, catalog, root"
)]
#[case(
    "/Shared/$(workspace.vars.apiKey)",
    "deploy.items[0].to uses $(workspace.vars.apiKey), whose value is in a Secret: such variables only stand in the parameters of test"
)]
#[case(
    "/Shared/$(release.sha)",
    "deploy.items[0].to uses $(release.sha), but a release has only: branch, commit, name, namespace, pipeline, reason, ref, run, stage"
)]
#[case(
    "/Shared/$(pwd)",
    "deploy.items[0].to uses $(pwd), but there are only $(params.NAME), $(workspace.vars.NAME) and $(release.NAME); write $$(pwd) for these very characters"
)]
#[case(
    "/Shared/$(params.env",
    "deploy.items[0].to has $( without a name and ) after it: a variable is $(NAME) without spaces; write $$( for these very characters"
)]
fn a_wrong_name_is_told_with_its_place(#[case] to: &str, #[case] expected: &str) {
    assert_eq!(scoped(&deploying(to)).unwrap_err(), [expected]);
}

#[rstest]
#[case("/Shared/$(params.team)", "..", "becomes \"/Shared/..\": to is an absolute path below /Shared")]
#[case("/Shared/$(params.team)", "a/../../Users", "to is an absolute path")]
#[case("/Shared/$(params.team)/x", "", "becomes \"/Shared//x\": to is an absolute path")]
#[case("/Shared/$(params.team)", "a/", "to is an absolute path")]
#[case("$(params.team)/x", "/etc", "to is an absolute path")]
#[case("$(params.team)/x", "Shared", "to is an absolute path")]
#[case("$(params.team)/x", "$(params.env)", "to is an absolute path")]
#[case("/Shared/$(params.team)", &"x".repeat(600), "becomes 608 characters long; at most 512 are taken")]
fn a_value_may_not_break_a_paths_rule(#[case] to: &str, #[case] team: &str, #[case] expected: &str) {
    let mut release = deploying(to);
    release.spec.parameters = [("team".to_owned(), team.to_owned())].into();
    let errors = scoped(&release).unwrap_err();
    assert!(errors.len() == 1 && errors[0].starts_with("deploy.items[0].to becomes "), "{errors:?}");
    assert!(errors[0].contains(expected), "{errors:?}");
}

#[rstest]
#[case(json!({"deploy": {"libraries": {"to": "/Volumes/$(params.team)"}}}), "..", "deploy.libraries.to becomes")]
#[case(json!({"deploy": {"items": [{"from": "$(params.team)/**", "to": "/Shared"}]}}), "/a", "from is a glob relative")]
#[case(json!({"build": {"wheels": ["$(params.team)"]}}), "", "build.wheels[0] becomes \"\", which is too short")]
#[case(json!({"build": {"wheels": ["a", "$(params.team)"]}}), &"x".repeat(513), "build.wheels[1] becomes 513 characters")]
#[case(json!({"build": {"include": ["a", "$(params.team)/**"]}}), "../b", "build.include[1] becomes \"../b/**\": these are globs")]
#[case(json!({"test": {"notebooks": [{"match": "a/$(params.team)"}]}}), "..", "test.notebooks[0].match becomes")]
fn every_string_keeps_to_its_schema(#[case] fields: Value, #[case] team: &str, #[case] expected: &str) {
    let mut release = release(&fields);
    release.spec.parameters = [("team".to_owned(), team.to_owned())].into();
    let errors = scoped(&release).unwrap_err();
    assert!(errors.len() == 1 && errors[0].contains(expected), "{errors:?}");
}

#[rstest]
#[case("env", "prod", "parameters.env is \"prod\", but it must be one of: staging, production")]
#[case("retries", "many", "parameters.retries is \"many\", but it must be a number such as 12 or -0.5")]
#[case("retries", "1.", "it must be a number")]
#[case("verbose", "yes", "parameters.verbose is \"yes\", but it must be true or false")]
#[case("tema", "x", "parameters.tema is not a parameter of pipeline dbxdemo; it has: env, retries, team, verbose")]
fn a_value_has_its_parameters_type(#[case] name: &str, #[case] value: &str, #[case] expected: &str) {
    let mut release = deploying("/Shared");
    release.spec.parameters = [(name.to_owned(), value.to_owned())].into();
    let errors = scoped(&release).unwrap_err();
    assert!(errors.len() == 1 && errors[0].contains(expected), "{errors:?}");
}

#[rstest]
#[case("retries", "-0.5")]
#[case("retries", "12")]
#[case("verbose", "true")]
#[case("env", "production")]
#[case("team", "")]
fn a_good_value_is_taken(#[case] name: &str, #[case] value: &str) {
    let mut release = deploying("/Shared");
    release.spec.parameters = [(name.to_owned(), value.to_owned())].into();
    assert_eq!(scoped(&release), Ok(BTreeMap::new()));
}

#[test]
fn a_parameter_without_any_value_is_told_once() {
    let mut pipeline = pipeline();
    pipeline.parameters[1].default = None;
    let release = deploying("/Shared/$(params.team)");
    let errors = scope(&release, None, "", Some(&pipeline), None).unwrap_err();
    assert_eq!(errors, ["parameters has no team: pipeline dbxdemo has no default for it"]);
}

#[test]
fn every_mistake_is_told() {
    let item = |to| json!({"from": "**", "to": to});
    let mut release = release(&json!({
        "deploy": {"items": [item("/Shared/$(a)"), item("/Shared/ok"), item("/Shared/$(params.b)")]},
        "build": {"tests": {"args": ["$(params.c)", "$(d)"]}},
    }));
    release.spec.parameters = [("env".to_owned(), "none".to_owned())].into();
    let errors = scoped(&release).unwrap_err();
    let starts: Vec<&str> = errors.iter().map(|error| error.split([' ', ',']).next().unwrap()).collect();
    assert_eq!(
        starts,
        ["parameters.env", "build.tests.args[0]", "deploy.items[0].to", "deploy.items[2].to"],
        "{errors:?}"
    );
}

#[rstest]
#[case("workspace.vars.catalog", "but the release goes to no workspace")]
#[case("release.run", "but the release belongs to no pipeline")]
#[case("release.stage", "but the release has no stage")]
fn what_a_release_lacks_is_told(#[case] name: &str, #[case] expected: &str) {
    let mut release = deploying(&format!("/Shared/$({name})"));
    release.spec.stage = None;
    let errors = scope(&release, None, "", Some(&pipeline()), None).unwrap_err();
    assert_eq!(errors, [format!("deploy.items[0].to uses $({name}), {expected}")]);
}

#[test]
fn the_values_are_bounded_together() {
    let names: Vec<String> = (0..8).map(|n| format!("p{n}")).collect();
    let args: Vec<String> = names.iter().map(|name| format!("$(params.{name})")).collect();
    let parameters: BTreeMap<String, String> = names.iter().map(|name| (name.clone(), "x".repeat(4096))).collect();
    let test = json!({"notebooks": [{"parameters": {"all": args[0]}}, {"parameters": {"all": args[1]}}]});
    let mut few = release(&json!({"test": test}));
    few.spec.parameters.clone_from(&parameters);
    assert!(scope(&few, None, "", None, None).is_ok());
    let notebooks: Vec<Value> = args.iter().map(|arg| json!({"parameters": {"all": arg}})).collect();
    let mut many = release(&json!({"test": {"notebooks": notebooks}}));
    many.spec.parameters = parameters;
    let errors = scope(&many, None, "", None, None).unwrap_err();
    assert!(errors.len() == 1 && errors[0].contains("bytes together; at most 16384"), "{errors:?}");
}

/// A rule that this controller can't evaluate would refuse every string. Those of durations need no look: they take no
/// `$(` from the start.
#[test]
fn every_rule_can_be_evaluated_where_variables_stand() {
    let good = [
        "3.11",
        "2",
        "/Shared/a",
        "/Workspace/a",
        "/Volumes/a/b.whl",
        "https://index.example.com",
        "g:a:1",
        "a/**",
        "main",
        "registry.example.com/build:1",
        "0 3 * * 1",
        "15.4.*",
    ];
    let asked: Vec<(String, bool)> =
        schema::asked().into_iter().filter(|(rule, _)| !rule.contains("duration(")).collect();
    assert!(asked.len() > 12, "{asked:?}");
    for (rule, of_list) in asked {
        let takes = |text: &&str| schema::holds(&rule, &if of_list { json!([text]) } else { json!(text) });
        assert!(good.iter().any(takes), "{rule}");
    }
}
