//! The API: one file for each family of Databricks' endpoints, and the emulator's own.

mod arguments;
mod azure;
mod clusters;
mod credentials;
mod dbfs;
mod emulator;
mod error;
mod gate;
mod identity;
mod jobs;
mod libraries;
mod page;
mod permissions;
mod runs;
mod submit;
mod view;
mod volumes;
mod workspace;

use crate::{
    fault::Faults, federation::Federation, journal::Journal, stale::Past, token::Tokens, workspace::Workspace,
};
pub(crate) use arguments::{encode, maybe_number, number};
pub(crate) use emulator::script;

use axum::{Extension, Router, extract::DefaultBodyLimit, middleware};
use std::sync::Arc;

/// The same endpoints answer under each of these versions.
const VERSIONS: [&str; 3] = ["2.0", "2.1", "2.2"];

/// The version that a request has asked.
#[derive(Clone, Copy)]
pub(crate) struct Version(&'static str);

impl Version {
    /// Whether runs of jobs wait by themselves: so it is documented since 2.2.
    pub(crate) fn queues(self) -> bool {
        self.0 == "2.2"
    }
}

/// What every request can reach.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) workspace: Arc<Workspace>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) federation: Arc<Federation>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) past: Arc<Past>,
    /// The id of the workspace, which clients read from a header.
    pub(crate) id: u64,
    /// What the links to its pages begin with.
    pub(crate) page_url: Arc<str>,
    /// Where users reach the emulator.
    pub(crate) public_url: Arc<str>,
    /// Whether that URL was chosen by the user; otherwise it is the listener's, which a client may know by another name.
    pub(crate) is_chosen: bool,
}

/// All routes.
pub(crate) fn router(context: Context) -> Router {
    let families = Router::new()
        .merge(workspace::routes())
        .merge(dbfs::routes())
        .merge(volumes::routes())
        .merge(libraries::routes())
        .merge(clusters::routes())
        .merge(runs::routes())
        .merge(jobs::routes())
        .merge(credentials::routes())
        .merge(permissions::routes())
        .merge(identity::routes());
    let mut router = Router::new().merge(emulator::routes());
    for version in VERSIONS {
        router = router.nest(&format!("/api/{version}"), families.clone().layer(Extension(Version(version))));
    }
    router
        .route_layer(middleware::from_fn_with_state(context.clone(), gate::authenticate))
        .merge(identity::open_routes())
        .merge(azure::open_routes())
        .merge(emulator::open_routes())
        .fallback(error::unknown)
        .method_not_allowed_fallback(error::unknown)
        .layer(middleware::map_response(error::shape))
        // Uploads are bounded one by one, by what they are.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(context.clone(), gate::record))
        .with_state(context)
}
