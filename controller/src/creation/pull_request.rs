//! What a release of a pull request does: it builds; deploys and tests in a workspace of its own, if there is one; and
//! changes nothing that others use. Pure.
//!
//! Everything it writes lies in one folder, so nothing meets what a stage has. It installs nothing on clusters: libraries
//! travel with runs that make their own cluster, and with serverless tasks; on an existing cluster its tests meet the
//! libraries that are there.

use brickline_crds::{
    Build, BuildOnly, DatabricksReleaseSpec, Deploy, DeployItem, DeployLibraries, Install, OnFailure, Operate,
    ReleasePipeline,
};
use kube::ResourceExt;

/// The folder of a pull request's libraries, beside what is deployed.
const LIBRARIES: &str = ".libraries";

/// The spec of a pipeline's release, for a pull request. What `trigger.paths` and `trigger.mergesOnly` say of merges is
/// not asked: a commit of a pull request is compared with its parent alone, which tells too little.
pub(super) fn adapted(spec: DatabricksReleaseSpec, pipeline: &ReleasePipeline, number: u64) -> DatabricksReleaseSpec {
    let settings = pipeline.spec.trigger.pull_requests.clone().unwrap_or_default();
    let folder = format!("{}/{number}/{}", settings.target, pipeline.name_any());
    // A bundle goes where its own file says: not what nobody has merged.
    let deploys = spec.deploy.items.is_some() || spec.deploy.bundle.is_none();
    let items = spec.deploy.items().iter().map(|item| moved(item, &folder)).collect();
    DatabricksReleaseSpec {
        stage: None,
        workspace_ref: settings.workspace_ref.filter(|_| deploys),
        approvals: None,
        build: Build { only: BuildOnly::default(), ..spec.build },
        deploy: Deploy {
            items: Some(items),
            bundle: None,
            libraries: DeployLibraries { to: libraries(&folder), ..spec.deploy.libraries },
            ..spec.deploy
        },
        install: Install { clusters: Vec::new(), ..spec.install },
        operate: Operate::default(),
        on_failure: OnFailure::None,
        ..spec
    }
}

/// The item below the folder. What an earlier commit of the pull request left there goes with it.
fn moved(item: &DeployItem, folder: &str) -> DeployItem {
    // A parameter's value brings its own slash.
    DeployItem { to: format!("{folder}{}", item.to), prune: true, ..item.clone() }
}

/// Where libraries go: a root is written as `/Workspace/...`.
fn libraries(folder: &str) -> String {
    let root = if folder.starts_with("/Workspace/") { "" } else { "/Workspace" };
    format!("{root}{folder}/{LIBRARIES}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::creation::{Draft, Occasion};
    use crate::receiver::samples;
    use brickline_crds::{DatabricksRelease, LocalRef, PullRequests, ReleaseReason};
    use rstest::rstest;

    fn release(workspace: Option<&str>) -> DatabricksRelease {
        let mut pipeline = samples::pipeline();
        let trigger = &mut pipeline.spec.trigger;
        (trigger.merges_only, trigger.paths.include) = (true, vec!["notebooks/**".to_owned()]);
        trigger.pull_requests = Some(PullRequests {
            enabled: true,
            workspace_ref: workspace.map(LocalRef::new),
            ..PullRequests::default()
        });
        let spec = &mut pipeline.spec.template.spec;
        spec.on_failure = OnFailure::Rollback;
        spec.operate.prune = true;
        let notebooks = spec.deploy.items()[0].clone();
        let variable = DeployItem { to: "$(params.root)/a".to_owned(), ..notebooks.clone() };
        spec.deploy.items = Some(vec![notebooks, variable]);
        let occasion = Occasion::pull_request(&pipeline, &samples::pull_request());
        Draft { stage: None, occasion }.release(&pipeline, 12).unwrap()
    }

    #[test]
    fn all_it_writes_lies_in_its_own_folder() {
        let spec = release(Some("sandbox")).spec;
        let items = spec.deploy.items();
        let to: Vec<&str> = items.iter().map(|item| item.to.as_str()).collect();
        assert_eq!(
            to,
            ["/Shared/.pull-requests/12/dbxdemo/Shared", "/Shared/.pull-requests/12/dbxdemo$(params.root)/a"]
        );
        assert!(items.iter().all(|item| item.prune));
        assert_eq!(spec.deploy.libraries.to, "/Workspace/Shared/.pull-requests/12/dbxdemo/.libraries");
        assert_eq!((spec.stage, spec.workspace_ref), (None, Some(LocalRef::new("sandbox"))));
        assert_eq!(
            (spec.install.clusters, spec.operate, spec.on_failure),
            (vec![], Operate::default(), OnFailure::None)
        );
        assert!(!spec.install.libraries.is_empty(), "they travel with runs");
        assert_eq!(spec.build.only, BuildOnly::default());
    }

    #[test]
    fn a_bundle_is_not_deployed() {
        let mut pipeline = samples::pipeline();
        let sandbox = Some(LocalRef::new("sandbox"));
        pipeline.spec.trigger.pull_requests =
            Some(PullRequests { workspace_ref: sandbox.clone(), ..PullRequests::default() });
        pipeline.spec.template.spec.deploy.bundle =
            Some(serde_json::from_value(serde_json::json!({"target": "dev"})).unwrap());
        let spec = |pipeline: &ReleasePipeline| {
            let occasion = Occasion::pull_request(pipeline, &samples::pull_request());
            Draft { stage: None, occasion }.spec(pipeline).unwrap()
        };
        let alone = spec(&pipeline);
        assert_eq!((alone.deploy.bundle, alone.workspace_ref), (None, None), "there is nothing else to deploy");
        pipeline.spec.template.spec.deploy.items = Some(Vec::new());
        assert_eq!(spec(&pipeline).workspace_ref, sandbox);
    }

    #[rstest]
    #[case(None)]
    #[case(Some("sandbox"))]
    fn it_is_a_release_of_the_commit_that_is_not_merged(#[case] workspace: Option<&str>) {
        let release = release(workspace);
        let git = release.spec.source.git.unwrap();
        assert_eq!((git.reference.as_str(), git.commit.as_str()), ("refs/pull/12/head", samples::COMMIT));
        assert_eq!(git.url, "https://git.example.com/data/dbxdemo.git");
        assert_eq!(release.spec.reason, ReleaseReason::PullRequest);
        assert_eq!(release.spec.requested_for.as_deref(), Some("ana@example.com"));
        assert_eq!(release.spec.workspace_ref.map(|reference| reference.name).as_deref(), workspace);
    }
}
