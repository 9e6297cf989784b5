//! The cluster: a real single-node Kubernetes, or one that the user brings.
