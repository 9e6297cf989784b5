//! The program: Gitea's server, built from its Go module, and the templates and locales that it reads while it runs.

use std::path::{Path, PathBuf};

use super::ForgeError;
use crate::{
    cache::{Cache, Key},
    command::Command,
    go::GoModule,
    progress::Progress,
    requirements::{self, Need, Toolchain},
};

/// What building and running the forge takes besides Go.
pub const REQUIREMENTS: [Need; 5] = [
    Need { program: "git", package: "git" },
    Need { program: "gcc", package: "gcc" },
    Need { program: "/usr/include/stdlib.h", package: "libc6-dev" },
    Need { program: "unshare", package: "util-linux" },
    Need { program: "setpriv", package: "util-linux" },
];

const PACKAGE: &str = "code.gitea.io/gitea";
/// SQLite is the only database that needs no server; it is C, and Gitea leaves it out unless asked for.
const GITEA: GoModule = GoModule {
    name: "gitea",
    title: "Gitea",
    packages: &[PACKAGE],
    link_flags: "",
    tags: "sqlite,sqlite_unlock_notify",
    cgo: true,
};
/// Folders of the module that the server reads while it runs. The front end's scripts are not among them: they would need
/// a build of their own, and nothing here looks at the pages with a browser.
const READ: [&str; 3] = ["options", "templates", "public"];

/// Where the server and what it reads are.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// The folder with `gitea`.
    pub(super) folder: PathBuf,
    /// The folder that the settings call `STATIC_ROOT_PATH`.
    pub(super) read: PathBuf,
}

impl Program {
    /// Finds both in the cache, or builds them now.
    pub(super) async fn build(cache: &Cache, progress: &Progress) -> Result<Self, ForgeError> {
        requirements::ensure(cache, progress, &REQUIREMENTS).await?;
        requirements::toolchain(Toolchain::Go).await?;
        let folder = GITEA.build(cache, progress).await?;
        let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("go").join(GITEA.name);
        let key = Key::new("1").path(&module.join("go.mod"))?;
        let read = cache.cached("gitea-read", &key, async |folder: PathBuf| copy(&module, &folder).await).await?;
        Ok(Self { folder, read })
    }
}

/// Copies what the server reads. The module cache is read-only; a copy can be removed like everything else in our cache.
async fn copy(module: &Path, folder: &Path) -> Result<(), ForgeError> {
    let list = Command::new("go").args(["list", "-m", "-f", "{{.Dir}}", PACKAGE]).current_dir(module);
    let sources = list.env("GOFLAGS", "").env("GOWORK", "off").run().await?;
    let sources = READ.map(|name| Path::new(sources.trim()).join(name));
    let copy = Command::new("cp").args(["--recursive", "--no-preserve=mode,ownership"]);
    copy.args(sources).arg(folder).run().await?;
    Ok(())
}
