//! Addresses of the local cluster: a link between host and node, and the ranges of pods and Services behind it.

use std::net::Ipv4Addr;

/// The host's end of the link. Pods reach the host here.
pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 201, 0, 1);
/// The node's end of the link: where the API server and DNS listen.
pub const NODE: Ipv4Addr = Ipv4Addr::new(10, 201, 0, 2);
/// The link's own network.
pub const LINK: &str = "10.201.0.0/30";
/// The pods' addresses.
pub const PODS: &str = "10.200.0.0/16";
/// The Services' addresses.
pub const SERVICES: &str = "10.96.0.0/16";
/// The first of the Services' addresses, which is always the API server's own.
pub const API_SERVICE: &str = "10.96.0.1";
/// The name of the host's network link to the node.
pub const HOST_LINK: &str = "brickline0";
/// The name of the node's network link to the host.
pub const NODE_LINK: &str = "eth0";
/// The API server's port.
pub const API_PORT: u16 = 6443;
/// etcd's port, on the node's own loopback.
pub const ETCD_PORT: u16 = 2379;
/// The node's name.
pub const NODE_NAME: &str = "brickline";
/// The cluster's DNS domain.
pub const DOMAIN: &str = "cluster.local";
