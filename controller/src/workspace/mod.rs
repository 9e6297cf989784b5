//! Workspaces: from a reference to a client that may be used, and the status of the object itself.

mod auth;
mod connect;
mod identity;
mod limits;
pub(crate) mod protection;
mod reconcile;
mod references;

pub(crate) use connect::{Clients, Connection, Known, cluster, connect, connect_by};
pub(crate) use reconcile::reconcile;
