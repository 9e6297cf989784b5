//! The program: Gitea's server, built from its Go module, with the templates and locales that it reads beside it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::ForgeError;
use crate::{
    cache::{Cache, Key},
    command::Command,
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

const MODULE: &str = "code.gitea.io/gitea";
/// SQLite is the only database that needs no server; Gitea leaves it out unless asked for.
const TAGS: &str = "sqlite,sqlite_unlock_notify";
/// Folders of the module that the server reads while it runs. The front end's scripts are not among them: they would need
/// a build of their own, and nothing here looks at the pages with a browser.
const STATIC: [&str; 3] = ["options", "templates", "public"];
const DOWNLOAD_LIMIT: Duration = Duration::from_mins(15);
const BUILD_LIMIT: Duration = Duration::from_mins(30);

/// The folder with the server (`gitea`) and what it reads (`static`), built now if the cache doesn't have it.
pub(super) async fn build(cache: &Cache, progress: &Progress) -> Result<PathBuf, ForgeError> {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("go/gitea");
    let key = Key::new(TAGS).path(&module)?;
    requirements::ensure(cache, progress, &REQUIREMENTS).await?;
    if !cache.holds("gitea", &key) {
        requirements::toolchain(Toolchain::Go).await?;
        let work = cache.cached("gitea", &key, async |folder| compile(cache, &module, &folder).await);
        return progress.step("Build Gitea", work).await;
    }
    cache.cached("gitea", &key, async |folder| compile(cache, &module, &folder).await).await
}

async fn compile(cache: &Cache, module: &Path, folder: &Path) -> Result<(), ForgeError> {
    let go = || Command::new("go").current_dir(module).env("CGO_ENABLED", "1");
    go().args(["mod", "download"]).log(cache.log("gitea-download")?).limit(DOWNLOAD_LIMIT).run().await?;
    go().args(["build", "-trimpath", "-ldflags", "-s -w", "-tags", TAGS, "-o"])
        .arg(folder.join("gitea"))
        .arg(MODULE)
        .log(cache.log("gitea-build")?)
        .limit(BUILD_LIMIT)
        .run()
        .await?;
    let sources = go().args(["list", "-m", "-f", "{{.Dir}}", MODULE]).run().await?;
    let sources = Path::new(sources.trim());
    let copied = folder.join("static");
    std::fs::create_dir_all(&copied).map_err(ForgeError::io(&copied))?;
    // The module cache is read-only; a copy must be removable like everything else in our cache.
    let copy = Command::new("cp").args(["--recursive", "--no-preserve=mode,ownership"]);
    copy.args(STATIC.map(|name| sources.join(name))).arg(&copied).run().await?;
    Ok(())
}
