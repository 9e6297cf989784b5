//! The release that phases work with.

use std::borrow::Cow;

use serde_json::json;

use super::super::{effective, scope};
use super::*;

fn template() -> DatabricksRelease {
    release(&json!({
        "requestedFor": "$(params.team)",
        "deploy": {
            "items": [{"from": "notebooks/**", "to": "/Workspace/Shared/$(workspace.vars.catalog)"}],
            "libraries": {"to": "/Volumes/$(workspace.vars.catalog)/release/libs"},
        },
        "install": {"clusters": ["main"]},
        "test": {"notebooks": [{"match": "notebooks/$(params.team)/**", "parameters": {
            "key": "$(workspace.vars.apiKey)", "env": "$(params.env)",
        }}]},
    }))
}

#[test]
fn one_template_goes_to_different_places_in_different_workspaces() {
    let places = |workspace: &DatabricksWorkspaceSpec| {
        let values = scope(&template(), None, "", Some(&pipeline()), Some(workspace)).unwrap();
        let release = with(template(), values);
        let spec = effective(&release).into_owned().spec;
        let cluster = workspace.clusters[&spec.install.clusters[0]].id.clone();
        [spec.deploy.items()[0].to.clone(), spec.deploy.libraries.to, cluster]
    };
    assert_eq!(
        places(&workspace_with("main_staging", "0123-staging")),
        ["/Workspace/Shared/main_staging", "/Volumes/main_staging/release/libs", "0123-staging"]
    );
    assert_eq!(
        places(&workspace_with("main", "4567-production")),
        ["/Workspace/Shared/main", "/Volumes/main/release/libs", "4567-production"]
    );
}

#[test]
fn all_but_the_spec_stays_as_it_is_stored() {
    let stored = with(template(), scoped(&template()).unwrap());
    let effective = effective(&stored);
    assert_eq!((&effective.metadata, &effective.status), (&stored.metadata, &stored.status));
    assert_eq!(effective.spec.test.notebooks[0].pattern, "notebooks/sales/**");
    assert_eq!(effective.spec.requested_for.as_deref(), Some("$(params.team)"), "it is not a template");
}

#[test]
fn parameters_of_notebooks_are_left_for_their_submission() {
    let stored = with(template(), scoped(&template()).unwrap());
    assert_eq!(effective(&stored).spec.test.notebooks[0].parameters, stored.spec.test.notebooks[0].parameters);
}

#[test]
fn a_release_without_variables_is_not_copied() {
    let release = deploying("/Shared/$(params.team)");
    assert!(matches!(effective(&release), Cow::Borrowed(_)), "before its variables were looked up");
    let release = with(deploying("/Shared"), BTreeMap::new());
    assert!(matches!(effective(&release), Cow::Borrowed(_)), "it has none");
}

#[test]
fn an_escape_alone_is_resolved_too() {
    assert_eq!(target(deploying("/Shared/$$(params.team)")), "/Shared/$(params.team)");
}

#[test]
fn values_stay_as_they_were_when_the_release_began() {
    let stored = with(deploying("/Shared/$(params.team)"), [("params.team".to_owned(), "before".to_owned())].into());
    assert_eq!(effective(&stored).spec.deploy.items()[0].to, "/Shared/before");
}
