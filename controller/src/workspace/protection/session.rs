//! Whether a build may have Databricks Connect: the workspace's credentials, in a pod that runs the repository's code.

use brickline_crds::DatabricksWorkspace;
use kube::ResourceExt;

use super::verdict::Refusal;

/// What is refused.
const RESOURCE: &str = "build.databricksConnect";

/// Whether the workspace lets builds be its service principal. Where people or a window decide, they do so after the build,
/// so such a workspace lets none; nor does one whose stage asks for `approvals`.
pub(crate) fn session(workspace: &DatabricksWorkspace, approvals: u32) -> Result<(), Refusal> {
    let spec = &workspace.spec;
    let name = format!("{}/{}", workspace.namespace().unwrap_or_default(), workspace.name_any());
    let refuse = |rule: &'static str, why: &str| {
        let message = format!("DatabricksWorkspace {name} doesn't take {RESOURCE}: {why}");
        Err(Refusal { resource: RESOURCE.to_owned(), rule, message })
    };
    let early = "come after the build, which would have the credentials before; build in a stage without them whose \
                 workspace allows it, and promote from there";
    if !spec.databricks_connect.allowed {
        let why = "its spec.databricksConnect.allowed is false, so that no build gets its credentials";
        return refuse("databricksConnect.allowed", why);
    }
    if spec.protection.approvals.is_some() {
        return refuse("protection.approvals", &format!("its spec.protection.approvals {early}"));
    }
    if !spec.protection.windows.is_empty() {
        return refuse("protection.windows", &format!("its spec.protection.windows {early}"));
    }
    if approvals > 0 {
        return refuse("protection.approvals", &format!("the approvals of the release's stage {early}"));
    }
    Ok(())
}
