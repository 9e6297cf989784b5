//! Workspaces: from a reference to a client that may be used, and the status of the object itself.

mod connect;
mod hosts;
#[cfg_attr(not(test), expect(unused_imports, reason = "releases don't ask yet whether a workspace takes them"))]
pub(crate) mod protection;
mod reconcile;

pub(crate) use connect::{Clients, Connection, connect};
pub(crate) use reconcile::reconcile;
