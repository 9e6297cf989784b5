//! Buildah: builds images without an engine, with a store of its own inside the cache.

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use super::ImagesError;
use crate::{
    cache::Cache,
    command::{Command, CommandError},
};

/// A cold build compiles the controller's dependencies on two busy cores.
const BUILD_LIMIT: Duration = Duration::from_mins(40);
const PUSH_LIMIT: Duration = Duration::from_mins(10);
/// Where the builder image looks for the host's Rust toolchain.
pub(super) const TOOLCHAIN: &str = "/usr/local/rust";

/// Buildah with our own store.
#[derive(Debug)]
pub(super) struct Buildah {
    root: PathBuf,
    temporary: PathBuf,
    toolchain: PathBuf,
}

/// One build of a Dockerfile's target.
#[derive(Debug)]
pub(super) struct Build<'a> {
    pub(super) context: &'a Path,
    pub(super) dockerfile: &'a Path,
    pub(super) target: Option<&'a str>,
    pub(super) name: &'a str,
    pub(super) log: PathBuf,
}

impl Buildah {
    pub(super) async fn new(cache: &Cache, checkout: &Path) -> Result<Self, ImagesError> {
        let sysroot = Command::new("rustc").args(["--print", "sysroot"]).current_dir(checkout).run().await?;
        Ok(Self {
            root: cache.folder("images/store")?,
            // Buildah keeps the Dockerfile's cache mounts in its folder for temporary files.
            temporary: cache.folder("images/mounts")?,
            toolchain: PathBuf::from(sysroot.trim()),
        })
    }

    /// Whether an image of this name is in the store.
    pub(super) async fn holds(&self, name: &str) -> Result<bool, ImagesError> {
        match self.command(["inspect", "--type", "image", name]).run().await {
            Ok(_) => Ok(true),
            Err(CommandError::Failed { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn build(&self, build: Build<'_>) -> Result<(), ImagesError> {
        // Chroot isolation runs steps as processes of this machine: no runtime, no namespaces that may be missing here.
        let mut command = self.command(["bud", "--isolation", "chroot", "--layers", "--pull=never", "--volume"]);
        command = command.arg(format!("{}:{TOOLCHAIN}:ro", self.toolchain.display()));
        for (id, file) in secrets() {
            command = command.arg("--secret").arg(format!("id={id},src={}", file.display()));
        }
        if let Some(target) = build.target {
            command = command.args(["--target", target]);
        }
        command = command.args(["--tag", build.name, "--file"]).arg(build.dockerfile).arg(build.context);
        command.log(build.log).limit(BUILD_LIMIT).run().await?;
        Ok(())
    }

    /// Gives an image a second name.
    pub(super) async fn tag(&self, name: &str, other: &str) -> Result<(), ImagesError> {
        self.command(["tag", name, other]).run().await?;
        Ok(())
    }

    /// Writes an image to an archive, under the name that it shall have in the cluster.
    pub(super) async fn export(&self, name: &str, archive: &Path, reference: &str) -> Result<(), ImagesError> {
        let to = format!("docker-archive:{}:{reference}", archive.display());
        self.command(["push", "--quiet", name, &to]).limit(PUSH_LIMIT).run().await?;
        Ok(())
    }

    /// Removes what a killed build left, and images that newer ones replaced.
    pub(super) async fn tidy(&self) -> Result<(), ImagesError> {
        self.command(["rm", "--all"]).run().await?;
        self.command(["rmi", "--prune"]).run().await?;
        Ok(())
    }

    /// Buildah in a mount namespace of its own: whatever it mounts is gone with its process, however that ends.
    fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        Command::new("unshare")
            .args(["--mount", "--propagation", "private", "buildah", "--storage-driver", "overlay", "--root"])
            .arg(&self.root)
            .arg("--runroot")
            .arg(self.root.with_file_name("run"))
            .args(arguments)
            .env("TMPDIR", &self.temporary)
    }
}

/// The machine's own settings for package registries that exist, by the ids that the Dockerfile mounts them under.
fn secrets() -> Vec<(&'static str, PathBuf)> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = |file: &str| variable("HOME").map(|home| home.join(file));
    let choices = [
        ("ca-bundle", vec![variable("SSL_CERT_FILE"), variable("PIP_CERT"), variable("CARGO_HTTP_CAINFO")]),
        ("pip-config", vec![variable("PIP_CONFIG_FILE"), home(".config/pip/pip.conf"), Some("/etc/pip.conf".into())]),
        ("cargo-config", vec![variable("CARGO_HOME").map(|home| home.join("config.toml")), home(".cargo/config.toml")]),
    ];
    let existing = |paths: Vec<Option<PathBuf>>| paths.into_iter().flatten().find(|path| path.is_file());
    choices.into_iter().filter_map(|(id, paths)| Some((id, existing(paths)?))).collect()
}
