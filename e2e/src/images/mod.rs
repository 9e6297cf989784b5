//! Images: the container images that the cluster runs, built here from the shipped Dockerfile because none can be pulled.
//!
//! Reading order: [`image`] names them; [`context`] says what each is made of; [`base`] makes what the Dockerfile starts
//! from; [`buildah`] builds.

mod base;
mod buildah;
mod context;
mod image;

use std::{
    io,
    path::{Path, PathBuf},
};

pub use image::Image;
use thiserror::Error;

use self::{
    buildah::{Build, Buildah},
    context::{Context, tag},
};
use crate::{
    cache::{Cache, CacheError, Key},
    cluster::{Cluster, ClusterError},
    command::CommandError,
    progress::Progress,
    requirements::{self, Need, RequirementError},
};

/// What building images runs.
pub const REQUIREMENTS: [Need; 4] = [
    Need { program: "buildah", package: "buildah" },
    Need { program: "debootstrap", package: "debootstrap" },
    Need { program: "tar", package: "tar" },
    Need { program: "unshare", package: "util-linux" },
];

/// Why images could not be built.
#[derive(Debug, Error)]
pub enum ImagesError {
    /// A program failed; its message shows the last lines of the build.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The cache could not be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A program is missing and could not be installed.
    #[error(transparent)]
    Requirement(#[from] RequirementError),
    /// The cluster did not take an image.
    #[error(transparent)]
    Cluster(#[from] Box<ClusterError>),
    /// An image that was there a moment ago is gone: another process must have cleaned the cache.
    #[error("images vanished from the cache: {0}")]
    Vanished(PathBuf),
    /// A source or an archive could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ImagesError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// An image that is ready to be imported.
#[derive(Clone, Debug)]
pub struct Built {
    /// Which one.
    pub image: Image,
    /// The tag: a hash of what the image is made of.
    pub tag: String,
    /// The archive, in the format of `docker save`.
    pub archive: PathBuf,
}

impl Built {
    /// The whole name, as pods use it: `brickline.dev/controller:1a2b3c4d5e6f`.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}:{}", self.image.repository(), self.tag)
    }
}

/// Builds these images unless the cache has them already, and returns them in the same order.
pub async fn build(cache: &Cache, progress: &Progress, images: &[Image]) -> Result<Vec<Built>, ImagesError> {
    let checkout = checkout();
    if let Some(built) = find(cache, checkout, images).await? {
        return Ok(built);
    }
    requirements::ensure(cache, progress, &REQUIREMENTS).await?;
    // One process at a time: the context must not change under a build.
    let _lock = cache.lock("images").await?;
    let context = Context::stage(checkout, cache.folder("images/context")?)?;
    let workshop = Workshop { cache, progress, context: &context, buildah: Buildah::new(cache, checkout).await? };
    workshop.make(images).await?;
    find(cache, context.folder(), images).await?.ok_or_else(|| ImagesError::Vanished(cache.root().to_owned()))
}

/// The images that are made of the sources in `root`, if the cache has all of them.
async fn find(cache: &Cache, root: &Path, images: &[Image]) -> Result<Option<Vec<Built>>, ImagesError> {
    let mut found = Vec::new();
    for image in images {
        let tag = tag(root, *image)?;
        if !cache.holds(&part(*image), &key(&tag)) {
            return Ok(None);
        }
        let vanished = async |folder| Err(ImagesError::Vanished(folder));
        let archive = cache.cached(&part(*image), &key(&tag), vanished).await?.join(ARCHIVE);
        found.push(Built { image: *image, tag, archive });
    }
    Ok(Some(found))
}

/// Imports images into the local cluster, except those that it has already.
pub async fn load(cluster: &Cluster, progress: &Progress, images: &[Built]) -> Result<(), ImagesError> {
    let present = cluster.image_names().await.map_err(Box::new)?;
    for image in images {
        let reference = image.reference();
        if !present.contains(&reference) {
            let import = async { cluster.import_image(&image.archive).await.map_err(Box::new) };
            progress.step(&format!("Import the image {reference}"), import).await?;
        }
    }
    Ok(())
}

const ARCHIVE: &str = "image.tar";

fn part(image: Image) -> String {
    format!("image-{}", image.target())
}

fn key(tag: &str) -> Key {
    Key::new("docker-archive 1").text(tag)
}

/// The checkout that this program was built from.
fn checkout() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Everything that making an image takes.
struct Workshop<'a> {
    cache: &'a Cache,
    progress: &'a Progress,
    context: &'a Context,
    buildah: Buildah,
}

impl Workshop<'_> {
    /// Makes the missing images: Python's beside Rust's, since one mostly waits for the network and the other for the CPU.
    async fn make(&self, images: &[Image]) -> Result<(), ImagesError> {
        let base = base::ensure(self.cache, &self.buildah);
        self.progress.step("Make the base images", base).await?;
        let (python, rust): (Vec<_>, Vec<_>) = images.iter().partition(|image| **image == Image::Build);
        futures::future::try_join(self.make_each(python), self.make_each(rust)).await?;
        self.buildah.tidy().await
    }

    async fn make_each(&self, images: Vec<Image>) -> Result<(), ImagesError> {
        for image in images {
            let tag = tag(self.context.folder(), image)?;
            if !self.cache.holds(&part(image), &key(&tag)) {
                let step = format!("Build the image {}:{tag}", image.repository());
                self.progress.step(&step, self.make_one(image, &tag)).await?;
            }
        }
        Ok(())
    }

    async fn make_one(&self, image: Image, tag: &str) -> Result<(), ImagesError> {
        let make = async |folder: PathBuf| {
            let repository = image.repository();
            let build = Build {
                context: self.context.folder(),
                dockerfile: &self.context.folder().join("Dockerfile"),
                target: Some(image.target()),
                name: &repository,
                log: self.cache.log(&part(image))?,
            };
            self.buildah.build(build).await?;
            let reference = format!("{repository}:{tag}");
            self.buildah.export(&repository, &folder.join(ARCHIVE), &reference).await
        };
        self.cache.cached(&part(image), &key(tag), make).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[ignore = "builds every image, and needs root"]
    async fn images_are_built_once() {
        let (cache, progress) = (Cache::open().unwrap(), Progress::default());
        let wanted = std::env::var("IMAGES").unwrap_or_default();
        let wanted: Vec<Image> =
            Image::ALL.into_iter().filter(|image| wanted.is_empty() || wanted.contains(image.target())).collect();
        let first = build(&cache, &progress, &wanted).await.unwrap();
        for built in &first {
            let size = std::fs::metadata(&built.archive).unwrap().len();
            println!("{} {} MiB", built.reference(), size >> 20);
        }
        let started = std::time::Instant::now();
        let again = build(&cache, &progress, &wanted).await.unwrap();
        assert_eq!(
            again.iter().map(Built::reference).collect::<Vec<_>>(),
            first.iter().map(Built::reference).collect::<Vec<_>>()
        );
        assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
    }
}
