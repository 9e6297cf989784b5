use brickline_crds::{Deploy, DeployItem};
use serde_json::json;

use super::*;
use crate::phase::deploy::samples::manifest;

fn places(spec: &DatabricksReleaseSpec, manifest: &Manifest) -> Vec<String> {
    plan(spec, manifest).expect("a plan").iter().map(|item| place(item).to_owned()).collect()
}

/// Of the documents' holes: their release imports one notebook and runs all that lie in its folder.
#[test]
fn only_what_this_release_deploys_is_run_one_notebook_of_many() {
    let mut spec: DatabricksReleaseSpec = serde_json::from_value(json!({"source": {}})).unwrap();
    let one = DeployItem { from: "notebooks/one.py".into(), to: "/Shared/d".into(), ..DeployItem::default() };
    spec.deploy = Deploy { items: Some(vec![one]), ..Deploy::default() };
    spec.test.notebooks = vec![NotebookTest { pattern: "notebooks/**".into(), ..NotebookTest::default() }];
    let manifest = manifest(&[("notebooks/one.py", "1"), ("notebooks/two.py", "2")]);
    let run = places(&spec, &manifest);
    assert_eq!(run, ["/Shared/d/one.py"]);
    spec.deploy.items.as_mut().unwrap()[0].strip_extension = true;
    let run = places(&spec, &manifest);
    assert_eq!(run, ["/Shared/d/one"], "a notebook runs where it was put");
}
