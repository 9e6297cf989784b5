//! The API's words and what Databricks is sent for them.

use rstest::rstest;
use serde_json::{Value, json};

use super::super::libraries::{Cran, Maven};
use super::*;

fn place(compute: Value, libraries: Vec<Library>) -> Result<Place, NotServerless> {
    Place::of(&serde_json::from_value(compute).expect("a compute"), libraries, |name| Ok(format!("id-of-{name}")))
}

#[rstest]
#[case(json!({}), "id-of-main")]
#[case(json!({"cluster": "etl"}), "id-of-etl")]
fn an_existing_cluster_is_looked_up_by_its_name(#[case] compute: Value, #[case] id: &str) {
    assert_eq!(place(compute, vec![Library::Whl("w".into())]), Ok(Place::Existing(id.into())));
}

#[rstest]
#[case(
    json!({"sparkVersion": "15.4.x-scala2.12", "nodeTypeId": "n", "autoscale": {"min": 1, "max": 4}, "dataSecurityMode": "Standard"}),
    json!({"spark_version": "15.4.x-scala2.12", "node_type_id": "n", "autoscale": {"min_workers": 1, "max_workers": 4}, "data_security_mode": "USER_ISOLATION"})
)]
#[case(json!({"policyId": "P1"}), json!({"policy_id": "P1", "apply_policy_default_values": true}))]
#[case(
    json!({"sparkVersion": "v", "nodeTypeId": "n", "numWorkers": 0, "runtimeEngine": "Photon", "customTags": {"team": "data"}}),
    json!({"spark_version": "v", "node_type_id": "n", "num_workers": 0, "runtime_engine": "PHOTON",
        "spark_conf": {"spark.databricks.cluster.profile": "singleNode", "spark.master": "local[*, 4]"},
        "custom_tags": {"team": "data", "ResourceClass": "SingleNode"}})
)]
fn a_new_cluster_is_written_in_databricks_words(#[case] new: Value, #[case] sent: Value) {
    let Ok(Place::New { cluster, libraries }) = place(json!({"newCluster": new}), vec![Library::Jar("j".into())])
    else {
        panic!("a new cluster")
    };
    assert_eq!(serde_json::to_value(cluster).expect("JSON"), sent);
    assert_eq!(libraries, [Library::Jar("j".into())]);
}

#[test]
fn libraries_travel_to_serverless_as_dependencies() {
    let libraries = vec![
        Library::Whl("/Volumes/a.whl".into()),
        Library::Requirements("/Volumes/r.txt".into()),
        Library::Pypi(Pypi { package: "p==1".into(), repo: None }),
        Library::Pypi(Pypi { package: "q==1".into(), repo: Some("https://pypi.example.com".into()) }),
    ];
    let compute = json!({"serverless": {"environmentVersion": "2", "dependencies": ["requests"]}});
    let Ok(Place::Serverless(environment)) = place(compute, libraries) else { panic!("serverless") };
    let expected = json!({"environment_key": "default", "spec": {"environment_version": "2", "dependencies": [
        "/Volumes/a.whl", "-r /Volumes/r.txt", "p==1", "--index-url https://pypi.example.com q==1", "requests"]}});
    assert_eq!(serde_json::to_value(environment).expect("JSON"), expected);
}

#[rstest]
#[case(Library::Jar("/Volumes/a.jar".into()), "not the jar /Volumes/a.jar")]
#[case(Library::Maven(Maven { coordinates: "a:b:1".into(), repo: None, exclusions: Vec::new() }), "not the Maven artifact a:b:1")]
#[case(Library::Cran(Cran { package: "ada".into(), repo: None }), "not the R package ada")]
fn what_serverless_cannot_have_is_refused(#[case] library: Library, #[case] words: &str) {
    let refusal = place(json!({"serverless": {}}), vec![library]).expect_err("a refusal").to_string();
    assert!(refusal.contains(words), "{refusal}");
}
