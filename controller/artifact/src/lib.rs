//! What the controller and the runner agree on: the order a build pod gets, and what it hands back.
//!
//! The controller writes a [`plan`], the runner's containers find each other by the [`layout`] of the pod, a
//! [`manifest`] describes the artifact they leave, the [`result`] says how the build ended, and [`upload`] is how all
//! of it travels. [`fetch`] is the order to the pod that deploys an asset bundle, [`compose`] makes one artifact of
//! several. Nothing here does I/O of its own.

pub mod compose;
pub mod content;
pub mod digest;
pub mod fetch;
pub mod layout;
pub mod manifest;
pub mod notebook;
pub mod path;
pub mod plan;
pub mod result;
pub mod selection;
pub mod upload;
pub mod wheel;

pub use digest::Digest;
pub use fetch::FetchPlan;
pub use manifest::Manifest;
pub use path::ArtifactPath;
pub use plan::BuildPlan;
pub use result::BuildResult;
