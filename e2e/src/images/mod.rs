//! Images: the container images that the cluster runs, built here because none can be pulled.
