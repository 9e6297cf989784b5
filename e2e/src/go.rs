//! A Go module: a folder under `e2e/go` whose `go.mod` pins programs, which are built into the cache.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use thiserror::Error;

use crate::{
    cache::{Cache, CacheError, Key},
    command::{Command, CommandError},
    progress::Progress,
};

/// A cold build of Kubernetes on two busy cores takes ten minutes.
const BUILD_LIMIT: Duration = Duration::from_mins(45);

/// Why a module could not be built.
#[derive(Debug, Error)]
pub enum GoError {
    /// The cache could not be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The compiler failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// A module and what to build of it.
#[derive(Clone, Copy, Debug)]
pub struct GoModule {
    /// The folder under `e2e/go`, and the part's name in the cache.
    pub name: &'static str,
    /// What the user reads while it is built.
    pub title: &'static str,
    /// The packages to build, one program each.
    pub packages: &'static [&'static str],
    /// More flags for the linker, such as a version to stamp in.
    pub link_flags: &'static str,
    /// Build tags, separated by commas.
    pub tags: &'static str,
    /// Whether C code is linked in.
    pub cgo: bool,
}

impl GoModule {
    /// A module with nothing special about its build.
    #[must_use]
    pub const fn plain(name: &'static str, title: &'static str, packages: &'static [&'static str]) -> Self {
        Self { name, title, packages, link_flags: "", tags: "", cgo: false }
    }

    /// The folder with the built programs, built now unless the cache has them.
    pub async fn build(&self, cache: &Cache, progress: &Progress) -> Result<PathBuf, GoError> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("go").join(self.name);
        let key = self.key(&source)?;
        if cache.holds(self.name, &key) {
            return cache.cached(self.name, &key, async |_| Ok(())).await;
        }
        let build = cache.cached(self.name, &key, async |folder: PathBuf| self.compile(cache, &source, &folder).await);
        progress.step(&format!("Build {}", self.title), build).await
    }

    fn key(&self, source: &Path) -> Result<Key, GoError> {
        let key = Key::new("go 1").path(source)?.text(self.link_flags).text(self.tags).text(&self.cgo.to_string());
        Ok(self.packages.iter().fold(key, |key, package| key.text(package)))
    }

    async fn compile(&self, cache: &Cache, source: &Path, folder: &Path) -> Result<(), GoError> {
        let go = Command::new("go")
            .args(["build", "-trimpath", "-ldflags"])
            .arg(format!("-s -w {}", self.link_flags))
            .args(["-tags", self.tags, "-o"])
            .arg(folder)
            .args(self.packages)
            .env("CGO_ENABLED", if self.cgo { "1" } else { "0" })
            // The user's own settings must not change what is built.
            .env("GOFLAGS", "")
            .env("GOWORK", "off")
            .current_dir(source)
            .log(cache.log(&format!("build-{}", self.name))?)
            .limit(BUILD_LIMIT);
        go.run().await?;
        Ok(())
    }
}
