//! The rules that don't change with time: pipelines, namespaces, branches, paths, clusters, and releases by hand.

use brickline_crds::{Bundle, DatabricksWorkspace, Reason, ReleaseReason};
use globset::GlobBuilder;
use kube::ResourceExt;

use super::session::session;
use crate::forge::branch::is_wanted;
use crate::trouble::Trouble;

/// What a release wants of the workspace.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    /// The release's namespace.
    pub(crate) namespace: &'a str,
    /// The pipeline it belongs to, in its own namespace; none for one that a person made without.
    pub(crate) pipeline: Option<&'a str>,
    /// The full ref whose commit it releases, such as `refs/heads/release`. A tag is no branch, whatever its name is. None:
    /// its artifact came from a URL, and nobody vouches for what it was built from.
    pub(crate) reference: Option<&'a str>,
    /// Why it exists.
    pub(crate) reason: ReleaseReason,
    /// Whether its `requestedBy` is the controller itself; the admission policy lets nobody else say so. A person may
    /// roll back and retry too, so the reason alone doesn't tell.
    pub(crate) by_controller: bool,
    /// Every folder it writes to, that of libraries too.
    pub(crate) paths: &'a [String],
    /// Every cluster it uses, by the workspace's names.
    pub(crate) clusters: &'a [String],
    /// The policy of every cluster that it would make for a run; none for one without a policy.
    pub(crate) new_clusters: &'a [Option<String>],
    /// Its asset bundle.
    pub(crate) bundle: Option<&'a Bundle>,
    /// The approvals that its stage asks for, if its build is to have Databricks Connect.
    pub(crate) connect: Option<u32>,
}

/// Why a workspace doesn't take a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// What may not be used. Example: `path /Users/ana`.
    pub(crate) resource: String,
    /// The field that says so. Example: `protection.allowedPaths`.
    pub(crate) rule: &'static str,
    /// Both in a sentence that says what would be taken.
    pub(crate) message: String,
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::lasting(Reason::NotAuthorized, refusal.message)
    }
}

/// Whether the workspace takes such a release; the first rule it breaks, if not.
pub(crate) fn verdict(workspace: &DatabricksWorkspace, request: &Request) -> Result<(), Refusal> {
    let judge = Judge { workspace, request };
    judge.namespace()?;
    judge.manual()?;
    judge.pipeline()?;
    judge.branch()?;
    judge.paths()?;
    judge.clusters()?;
    judge.new_clusters()?;
    judge.bundle()?;
    judge.connect()
}

struct Judge<'a> {
    workspace: &'a DatabricksWorkspace,
    request: &'a Request<'a>,
}

impl Judge<'_> {
    fn namespace(&self) -> Result<(), Refusal> {
        let (here, theirs) = (self.workspace.namespace().unwrap_or_default(), self.request.namespace);
        let allowed = &self.workspace.spec.protection.allowed_namespaces;
        let taken = if allowed.is_empty() { theirs == here } else { allowed.iter().any(|name| name == theirs) };
        let wanted = if allowed.is_empty() { format!("{here} alone") } else { allowed.join(", ") };
        self.hold(taken, format!("namespace {theirs}"), "protection.allowedNamespaces", &wanted)
    }

    fn manual(&self) -> Result<(), Refusal> {
        let by_hand = self.request.reason == ReleaseReason::Manual || !self.request.by_controller;
        let taken = self.workspace.spec.protection.allow_manual || !by_hand;
        self.hold(taken, "a release made by hand".to_owned(), "protection.allowManual", "those of pipelines alone")
    }

    /// A release by hand may belong to no pipeline; it then only passes where pipelines aren't named.
    fn pipeline(&self) -> Result<(), Refusal> {
        let here = self.workspace.namespace().unwrap_or_default();
        let allowed = &self.workspace.spec.protection.allowed_pipelines;
        let rule = "protection.allowedPipelines";
        let wanted = if allowed.is_empty() { format!("{here}/*") } else { allowed.join(", ") };
        let Some(name) = self.request.pipeline else {
            return self.hold(allowed.is_empty(), "a release without pipeline".to_owned(), rule, &wanted);
        };
        let full = format!("{}/{name}", self.request.namespace);
        let named = || allowed.iter().any(|pattern| is_named(pattern, &full));
        let taken = if allowed.is_empty() { self.request.namespace == here } else { named() };
        self.hold(taken, format!("pipeline {full}"), rule, &wanted)
    }

    fn branch(&self) -> Result<(), Refusal> {
        let allowed = &self.workspace.spec.protection.allowed_branches;
        let reference = self.request.reference;
        let branch = reference.and_then(|reference| reference.strip_prefix("refs/heads/"));
        let urls = self.workspace.spec.protection.allow_artifact_urls;
        let taken = match reference {
            None => allowed.is_empty() || urls,
            Some(_) => allowed.is_empty() || branch.is_some_and(|branch| is_wanted(allowed, branch)),
        };
        let resource = match (branch, reference) {
            (Some(branch), _) => format!("branch {branch}"),
            (None, Some(reference)) => format!("ref {reference}"),
            (None, None) => "a release without branch, whose artifact came from a URL".to_owned(),
        };
        let wanted = match reference {
            None => format!("{}; protection.allowArtifactUrls would take it", allowed.join(", ")),
            Some(_) => allowed.join(", "),
        };
        self.hold(taken, resource, "protection.allowedBranches", &wanted)
    }

    fn paths(&self) -> Result<(), Refusal> {
        let allowed = &self.workspace.spec.protection.allowed_paths;
        let taken = |path: &str| allowed.is_empty() || allowed.iter().any(|folder| is_below(path, folder));
        match self.request.paths.iter().find(|path| !taken(path)) {
            None => Ok(()),
            Some(path) => self.hold(false, format!("path {path}"), "protection.allowedPaths", &allowed.join(", ")),
        }
    }

    fn clusters(&self) -> Result<(), Refusal> {
        let known = &self.workspace.spec.clusters;
        match self.request.clusters.iter().find(|name| !known.contains_key(*name)) {
            None => Ok(()),
            Some(name) => {
                let names: Vec<&str> = known.keys().map(String::as_str).collect();
                self.hold(false, format!("cluster {name}"), "clusters", &names.join(", "))
            }
        }
    }

    fn new_clusters(&self) -> Result<(), Refusal> {
        let rule = &self.workspace.spec.new_clusters;
        let taken = rule.allowed || self.request.new_clusters.is_empty();
        self.hold(taken, "a cluster made for a run".to_owned(), "newClusters.allowed", "existing ones alone")?;
        let known = |policy: &Option<String>| policy.as_ref().is_some_and(|policy| rule.policy_ids.contains(policy));
        let is_free = rule.policy_ids.is_empty();
        let unknown = self.request.new_clusters.iter().find(|policy| !is_free && !known(policy));
        let Some(policy) = unknown else { return Ok(()) };
        let resource = match policy {
            Some(policy) => format!("a new cluster of policy {policy}"),
            None => "a new cluster without policy".to_owned(),
        };
        self.hold(false, resource, "newClusters.policyIds", &rule.policy_ids.join(", "))
    }

    /// Its pod has the workspace's credentials: whoever names the image, or writes `databricks.yml`, has them too.
    fn bundle(&self) -> Result<(), Refusal> {
        let Some(bundle) = self.request.bundle else { return Ok(()) };
        let rule = &self.workspace.spec.bundles;
        self.hold(rule.allowed, "an asset bundle".to_owned(), "bundles.allowed", "none")?;
        let Some(image) = &bundle.image else { return Ok(()) };
        let taken = rule.images.iter().any(|pattern| is_image(pattern, image));
        let wanted = ["the chart's own".to_owned()].into_iter().chain(rule.images.iter().cloned());
        let wanted = wanted.collect::<Vec<_>>().join(", ");
        self.hold(taken, format!("the image {image} for an asset bundle"), "bundles.images", &wanted)
    }

    fn connect(&self) -> Result<(), Refusal> {
        self.request.connect.map_or(Ok(()), |approvals| session(self.workspace, approvals))
    }

    fn hold(&self, taken: bool, resource: String, rule: &'static str, wanted: &str) -> Result<(), Refusal> {
        if taken {
            return Ok(());
        }
        let name = format!("{}/{}", self.workspace.namespace().unwrap_or_default(), self.workspace.name_any());
        let wanted = if wanted.is_empty() { "none" } else { wanted };
        let message = format!("DatabricksWorkspace {name} doesn't take {resource}: its spec.{rule} takes {wanted}");
        Err(Refusal { resource, rule, message })
    }
}

/// Whether an image is one that the pattern means: `*` stays between two slashes.
fn is_image(pattern: &str, image: &str) -> bool {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    glob.is_ok_and(|glob| glob.compile_matcher().is_match(image))
}

/// Whether `namespace/name` is one that the pattern means: `*` stays on its side of the slash.
fn is_named(pattern: &str, full: &str) -> bool {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    let same_shape = pattern.matches('/').count() == 1;
    same_shape && glob.is_ok_and(|glob| glob.compile_matcher().is_match(full))
}

/// Whether a path is the folder or below it. A path that steps out of its folders is below nothing.
fn is_below(path: &str, folder: &str) -> bool {
    let (path, folder) = (canonical(path), canonical(folder));
    let steps = |part: &str| part == ".." || part == "." || part.is_empty();
    let rooted = path.strip_prefix("dbfs:").unwrap_or(&path);
    if rooted.strip_prefix('/').unwrap_or(rooted).split('/').any(steps) && !rooted.is_empty() {
        return false;
    }
    path == folder || path.strip_prefix(&folder).is_some_and(|rest| rest.starts_with('/'))
}

/// One name for each place: `/Shared` is `/Workspace/Shared`, and `dbfs:/Volumes` is `/Volumes`.
fn canonical(path: &str) -> String {
    let is_at =
        |path: &str, root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let path = path.strip_prefix("dbfs:").filter(|rest| is_at(rest, "/Volumes")).unwrap_or(path);
    let short = ["/Shared", "/Users", "/Repos"].iter().any(|root| is_at(path, root));
    if short { format!("/Workspace{path}") } else { path.to_owned() }
}
