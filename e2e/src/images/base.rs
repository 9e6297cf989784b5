//! Base images: root file systems made from Debian's packages, stored under the very names that the Dockerfile starts from.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    ImagesError,
    buildah::{Build, Buildah},
};
use crate::{
    cache::{Cache, Key, remove},
    command::Command,
};

/// What the Dockerfile's `BASE` and `BUILDER` say.
pub(super) const DEBIAN: &str = "docker.io/library/debian:bookworm-slim";
const BUILDER: &str = "docker.io/library/rust:1.95-bookworm";
const BOOTSTRAP_LIMIT: Duration = Duration::from_mins(20);

const DEBIAN_DOCKERFILE: &str = "FROM scratch\nADD rootfs.tar /\nCMD [\"bash\"]\n";
/// As in Debian's own slim images: packages bring their licences, but no manuals and no translations.
const SLIM: &str = "path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
";
/// Stands in for the Rust image: a linker and C's headers, and the host's toolchain mounted at build time.
const BUILDER_DOCKERFILE: &str = r"FROM docker.io/library/debian:bookworm-slim
RUN --mount=type=cache,target=/var/cache/apt --mount=type=cache,target=/var/lib/apt/lists \
    apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends gcc libc6-dev
ENV CARGO_HOME=/usr/local/cargo PATH=/usr/local/rust/bin:/usr/local/bin:/usr/bin:/bin
";

/// Makes sure that the store has both base images.
pub(super) async fn ensure(cache: &Cache, buildah: &Buildah) -> Result<(), ImagesError> {
    let bootstrapped =
        cache.cached("debian", &Key::new("minbase bookworm slim 1"), async |folder| bootstrap(&folder).await).await?;
    // The second name says which file system the image was made of, so that another one replaces it.
    let made_of = bootstrapped.file_name().unwrap_or_default().to_string_lossy();
    ensure_one(cache, buildah, DEBIAN, &format!("localhost/debian:{made_of}"), &bootstrapped).await?;
    let key = Key::new(BUILDER_DOCKERFILE).text(&made_of);
    let fill = async |folder: PathBuf| write(&folder.join("Dockerfile"), BUILDER_DOCKERFILE);
    let recipe = cache.cached("rust-image", &key, fill).await?;
    let made_of = recipe.file_name().unwrap_or_default().to_string_lossy();
    ensure_one(cache, buildah, BUILDER, &format!("localhost/rust:{made_of}"), &recipe).await
}

async fn ensure_one(
    cache: &Cache,
    buildah: &Buildah,
    name: &str,
    marked: &str,
    folder: &Path,
) -> Result<(), ImagesError> {
    if buildah.holds(marked).await? && buildah.holds(name).await? {
        return Ok(());
    }
    let dockerfile = folder.join("Dockerfile");
    let log = cache.log("image-base")?;
    buildah.build(Build { context: folder, dockerfile: &dockerfile, target: None, name, log }).await?;
    buildah.tag(name, marked).await
}

/// Leaves an archive of a minimal Debian in `folder`, with the Dockerfile that makes an image of it.
async fn bootstrap(folder: &Path) -> Result<(), ImagesError> {
    let rootfs = folder.join("rootfs");
    // Debootstrap mounts /proc inside; in a mount namespace of its own that can't outlive it.
    Command::new("unshare")
        .args(["--mount", "--propagation", "private", "debootstrap", "--variant=minbase", "--include=ca-certificates"])
        .arg("bookworm")
        .arg(&rootfs)
        .log(folder.join("debootstrap.log"))
        .limit(BOOTSTRAP_LIMIT)
        .run()
        .await?;
    write(&rootfs.join("etc/dpkg/dpkg.cfg.d/slim"), SLIM)?;
    archive(&rootfs, folder.join("rootfs.tar")).await?;
    remove(&rootfs)?;
    write(&folder.join("Dockerfile"), DEBIAN_DOCKERFILE)
}

async fn archive(rootfs: &Path, file: PathBuf) -> Result<(), ImagesError> {
    Command::new("tar")
        .args(["--numeric-owner", "--one-file-system", "--exclude=./var/cache/apt/archives/*.deb"])
        .args(["--exclude=./var/lib/apt/lists/*", "--exclude=./dev/*", "--exclude=./usr/share/locale/*"])
        .args(["--exclude=./usr/share/man/*", "--exclude=./usr/share/info/*", "--directory"])
        .arg(rootfs)
        .arg("--create")
        .arg("--file")
        .arg(file)
        .arg(".")
        .run()
        .await?;
    Ok(())
}

fn write(path: &Path, content: &str) -> Result<(), ImagesError> {
    fs::write(path, content).map_err(ImagesError::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_images_have_the_names_that_the_dockerfile_starts_from() {
        let dockerfile = include_str!("../../../Dockerfile");
        assert!(dockerfile.contains(&format!("ARG BASE={DEBIAN}\n")));
        assert!(dockerfile.contains(&format!("ARG BUILDER={BUILDER}\n")));
        assert!(BUILDER_DOCKERFILE.starts_with(&format!("FROM {DEBIAN}\n")));
        assert!(BUILDER_DOCKERFILE.contains(&format!("{}/bin", super::super::buildah::TOOLCHAIN)));
    }
}
