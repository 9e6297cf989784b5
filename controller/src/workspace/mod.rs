//! Workspaces: from a reference to a client that may be used, and the status of the object itself.

mod connect;
mod hosts;
mod reconcile;

pub(crate) use connect::{Clients, Connection, connect, not_a_tenant};
pub(crate) use reconcile::reconcile;
