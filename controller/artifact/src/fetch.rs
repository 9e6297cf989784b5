//! A fetch plan is the controller's order to the pod that deploys an asset bundle: which artifact to bring, and from where.
//!
//! It travels as JSON in the environment variable [`crate::layout::FETCH_ENV`] and holds no secret. Unknown fields are
//! tolerated, so that an older runner understands a newer controller.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::plan::{ReleaseIdentity, UploadPlan};

/// The order to the init container of one pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FetchPlan {
    /// Whose deployment this is; `attempt` is that of the Deploy phase.
    pub release: ReleaseIdentity,
    /// The artifact. Anything else is refused.
    pub artifact: Digest,
    /// The bundle's folder among the files; `.` for the top.
    pub path: String,
    /// The controller's endpoint.
    pub endpoint: UploadPlan,
    /// Seconds for all tries together.
    pub seconds: u64,
}
