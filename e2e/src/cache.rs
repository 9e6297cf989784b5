//! The cache: a folder outside the checkout that keeps what was built, so that a part is built once for each content.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::time::{Instant, sleep};
use walkdir::WalkDir;

/// How long one process waits for another that builds the same part.
const LOCK_PATIENCE: Duration = Duration::from_hours(1);
/// Builds of one part that are kept: the current one and those of other branches in use.
const KEPT_BUILDS: usize = 3;

/// Why the cache could not be used.
#[derive(Debug, Error)]
pub enum CacheError {
    /// Neither `BRICKLINE_CACHE` nor `XDG_CACHE_HOME` nor `HOME` says where the cache may be.
    #[error("no cache folder: set BRICKLINE_CACHE, XDG_CACHE_HOME or HOME")]
    NoFolder,
    /// A file or folder of the cache, or one that a key is made of, could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process held the lock of a part for longer than an hour.
    #[error("another process has been building {0} for an hour; stop it and try again")]
    Busy(String),
}

impl CacheError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// What a part's build depends on, gathered into one hash: another key means another build.
#[derive(Clone, Debug)]
pub struct Key(Sha256);

impl Key {
    /// Starts a key with the version of the recipe itself: change it when the build's code changes its outcome.
    #[must_use]
    pub fn new(recipe: &str) -> Self {
        Self(Sha256::new()).text(recipe)
    }

    /// Adds a text, such as a compiler's version or a flag.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.0.update(text.len().to_le_bytes());
        self.0.update(text);
        self
    }

    /// Adds a file's content, or every file under a folder with its path, in a fixed order.
    pub fn path(mut self, path: &Path) -> Result<Self, CacheError> {
        for entry in WalkDir::new(path).sort_by_file_name() {
            let entry = entry.map_err(|error| CacheError::Io { path: path.to_owned(), source: error.into() })?;
            if entry.file_type().is_file() {
                let name = entry.path().strip_prefix(path).unwrap_or(entry.path());
                self = self.text(&name.to_string_lossy()).file(entry.path())?;
            }
        }
        Ok(self)
    }

    fn file(self, path: &Path) -> Result<Self, CacheError> {
        let mut content = Vec::new();
        File::open(path).and_then(|mut file| file.read_to_end(&mut content)).map_err(CacheError::io(path))?;
        Ok(self.text(&HEXLOWER.encode(&Sha256::digest(&content))))
    }

    fn name(&self) -> String {
        HEXLOWER.encode(&self.0.clone().finalize()[..8])
    }
}

/// The cache folder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Opens the cache: `$BRICKLINE_CACHE`, else `$XDG_CACHE_HOME/brickline`, else `~/.cache/brickline`.
    pub fn open() -> Result<Self, CacheError> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = variable("BRICKLINE_CACHE")
            .or_else(|| variable("XDG_CACHE_HOME").map(|folder| folder.join("brickline")))
            .or_else(|| variable("HOME").map(|folder| folder.join(".cache/brickline")))
            .ok_or(CacheError::NoFolder)?;
        let root = std::path::absolute(&root).map_err(CacheError::io(&root))?;
        Self::at(root)
    }

    /// Opens a cache in a folder of the caller's choice, which is made when missing.
    pub fn at(root: PathBuf) -> Result<Self, CacheError> {
        fs::create_dir_all(&root).map_err(CacheError::io(&root))?;
        Ok(Self { root })
    }

    /// The cache's own folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A folder of the cache by its name, made when missing. For state and logs; what is built belongs into [`Cache::cached`].
    pub fn folder(&self, name: &str) -> Result<PathBuf, CacheError> {
        let folder = self.root.join(name);
        fs::create_dir_all(&folder).map_err(CacheError::io(&folder))?;
        Ok(folder)
    }

    /// The log file of a step, in the cache's `logs` folder.
    pub fn log(&self, name: &str) -> Result<PathBuf, CacheError> {
        Ok(self.folder("logs")?.join(format!("{name}.log")))
    }

    /// Whether a part of this key is already there.
    #[must_use]
    pub fn holds(&self, name: &str, key: &Key) -> bool {
        self.finished(name, key).is_dir()
    }

    /// The folder with the part `name` built for `key`, built now if it isn't there yet.
    ///
    /// `build` gets an empty folder to fill. It is moved to its final name only when `build` succeeded, so a build that was
    /// killed half way is never taken for a finished one; what it left is removed by the next. A lock makes sure that a
    /// second process waits for the first instead of building the same again.
    pub async fn cached<F, E>(&self, name: &str, key: &Key, build: F) -> Result<PathBuf, E>
    where
        F: AsyncFnOnce(PathBuf) -> Result<(), E>,
        E: From<CacheError>,
    {
        let finished = self.finished(name, key);
        if finished.is_dir() {
            touch(&finished);
            return Ok(finished);
        }
        let _lock = self.lock(&format!("part-{name}")).await?;
        if !finished.is_dir() {
            let started = self.begin(name)?;
            build(started.clone()).await?;
            fs::rename(&started, &finished).map_err(CacheError::io(&finished))?;
            self.prune(name)?;
        }
        Ok(finished)
    }

    /// Takes a lock that holds across processes until it is dropped, waiting at most an hour for its present holder.
    pub async fn lock(&self, name: &str) -> Result<File, CacheError> {
        let path = self.folder("locks")?.join(name);
        let file = File::create(&path).map_err(CacheError::io(&path))?;
        let deadline = Instant::now() + LOCK_PATIENCE;
        while Instant::now() < deadline {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                // A file lock can't be awaited without giving up a thread that Ctrl-C would then have to wait for.
                Err(TryLockError::WouldBlock) => sleep(Duration::from_millis(200)).await,
                Err(TryLockError::Error(source)) => return Err(CacheError::Io { path, source }),
            }
        }
        Err(CacheError::Busy(name.to_owned()))
    }

    fn finished(&self, name: &str, key: &Key) -> PathBuf {
        self.root.join("parts").join(name).join(key.name())
    }

    /// An empty folder to build in. Called under the part's lock, so any older one was left by a killed build.
    fn begin(&self, name: &str) -> Result<PathBuf, CacheError> {
        let started = self.folder(&format!("parts/{name}"))?.join(".started");
        remove(&started)?;
        fs::create_dir_all(&started).map_err(CacheError::io(&started))?;
        Ok(started)
    }

    /// Removes all but the builds of a part that were used last.
    fn prune(&self, name: &str) -> Result<(), CacheError> {
        let folder = self.folder(&format!("parts/{name}"))?;
        let mut builds: Vec<(SystemTime, PathBuf)> = fs::read_dir(&folder)
            .map_err(CacheError::io(&folder))?
            .filter_map(|entry| entry.and_then(|entry| Ok((entry.metadata()?.modified()?, entry.path()))).ok())
            .collect();
        builds.sort_by(|one, other| other.cmp(one));
        builds.iter().skip(KEPT_BUILDS).try_for_each(|(_, path)| remove(path))
    }
}

/// Removes a file or folder with all it holds; one that is not there is fine.
pub(crate) fn remove(path: &Path) -> Result<(), CacheError> {
    let removed = if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CacheError::io(path)(error)),
        _ => Ok(()),
    }
}

/// Marks a build as used now. Only the order of removal hangs on it, so a failure is of no interest.
fn touch(folder: &Path) {
    let _ = File::open(folder).and_then(|file| file.set_modified(SystemTime::now()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().join("cache")).unwrap();
        (folder, cache)
    }

    #[tokio::test]
    async fn builds_once_for_each_key() {
        let (_folder, cache) = cache();
        let mut count = 0;
        for key in [Key::new("a"), Key::new("a"), Key::new("b")] {
            let build = async |folder: PathBuf| {
                count += 1;
                fs::write(folder.join("file"), "content").map_err(CacheError::io(&folder))
            };
            let part = cache.cached("part", &key, build).await.unwrap();
            assert_eq!(fs::read_to_string(part.join("file")).unwrap(), "content");
        }
        assert_eq!(count, 2);
    }

    #[tokio::test]
    async fn a_failed_build_leaves_nothing_that_looks_finished() {
        let (_folder, cache) = cache();
        let key = Key::new("a");
        let half = async |folder: PathBuf| {
            fs::write(folder.join("half"), "").unwrap();
            Err(CacheError::NoFolder)
        };
        cache.cached("part", &key, half).await.unwrap_err();
        assert!(!cache.holds("part", &key));
        let part = cache.cached("part", &key, async |_| Ok::<(), CacheError>(())).await.unwrap();
        assert!(!part.join("half").exists());
    }

    #[test]
    fn a_key_depends_on_contents_and_names() {
        let folder = tempfile::tempdir().unwrap();
        let key = || Key::new("recipe").path(folder.path()).unwrap().name();
        fs::write(folder.path().join("a"), "1").unwrap();
        let first = key();
        assert_eq!(first, key());
        fs::write(folder.path().join("a"), "2").unwrap();
        let second = key();
        fs::rename(folder.path().join("a"), folder.path().join("b")).unwrap();
        assert_ne!(first, second);
        assert_ne!(second, key());
        assert_ne!(Key::new("ab").text("c").name(), Key::new("a").text("bc").name());
    }
}
