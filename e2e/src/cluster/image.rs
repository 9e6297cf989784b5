//! Images of the cluster's own: single static programs, packed without any tool for images, and how any image gets in.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use data_encoding::HEXLOWER;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::{node_settings::CONTAINERD_SOCKET, process, state::State};
use crate::{
    cache::{Cache, CacheError, Key},
    command::{Command, CommandError},
};

/// The image of the process that holds a pod's namespaces.
pub(crate) const PAUSE_IMAGE: &str = "localhost/brickline/pause:1";
/// The image that looks at the cluster from inside a pod.
pub const PROBE_IMAGE: &str = "localhost/brickline/probe:1";

/// A big image takes a while to unpack on a slow disk.
const IMPORT_LIMIT: Duration = Duration::from_mins(10);

/// Why an image could not be packed or imported.
#[derive(Debug, Error)]
pub enum ImageError {
    /// A program failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The cache could not be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A file could not be read or written.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    /// The local cluster isn't up.
    #[error("the local cluster is not up")]
    NoNode,
}

/// The archive of an image that holds one static program and nothing else.
pub(crate) async fn pack(cache: &Cache, name: &str, program: &Path) -> Result<PathBuf, ImageError> {
    let key = Key::new("image 1").text(name).path(program)?;
    let part = program.file_name().map_or_else(|| "image".to_owned(), |file| format!("{}-image", file.display()));
    let folder = cache.cached(&part, &key, async |folder| fill(&folder, name, program).await).await?;
    Ok(folder.join("image.tar"))
}

/// Writes the archive: one layer, its description, and the list that names both.
async fn fill(folder: &Path, name: &str, program: &Path) -> Result<(), ImageError> {
    let write = |file: &str, content: &[u8]| {
        let path = folder.join(file);
        fs::write(&path, content).map_err(|error| ImageError::Io(path, error))
    };
    let (source, entry) = (program.parent().unwrap_or(Path::new("/")), program.file_name().unwrap_or_default());
    let fixed = ["--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "--sort=name"];
    let layer = folder.join("layer.tar");
    Command::new("tar").arg("-cf").arg(&layer).args(fixed).arg("-C").arg(source).arg(entry).run().await?;
    let content = fs::read(&layer).map_err(|error| ImageError::Io(layer.clone(), error))?;
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "config": {"Entrypoint": [format!("/{}", entry.display())], "User": "65532:65532"},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(&content)))]},
    });
    let list = json!([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]);
    write("config.json", config.to_string().as_bytes())?;
    write("manifest.json", list.to_string().as_bytes())?;
    let files = ["manifest.json", "config.json", "layer.tar"];
    Command::new("tar").arg("-cf").arg(folder.join("image.tar")).arg("-C").arg(folder).args(files).run().await?;
    Ok(())
}

/// The machine's architecture in the words of images.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Imports an archive (of the OCI's or of Docker's form) into the node, and removes older builds of the same images, which
/// would otherwise pile up in a store that outlives every cluster. Running containers keep what they run.
pub(crate) async fn import(state: &State, archive: &Path) -> Result<(), ImageError> {
    let said = ctr(state)?.args(["images", "import"]).arg(archive).limit(IMPORT_LIMIT).run().await?;
    let old = replaced(&imported(&said), &names(state).await?);
    if !old.is_empty() {
        ctr(state)?.args(["images", "remove"]).args(old).run().await?;
    }
    Ok(())
}

/// The names in what an import says: `unpacking NAME (DIGEST)...done`.
fn imported(said: &str) -> Vec<&str> {
    said.lines().filter_map(|line| line.strip_prefix("unpacking ")?.split(' ').next()).collect()
}

/// The present names that are another tag of something just imported.
fn replaced(imported: &[&str], present: &[String]) -> Vec<String> {
    let repository = |name: &str| name.rsplit_once(':').map(|(repository, _)| repository.to_owned());
    let new: Vec<String> = imported.iter().filter_map(|name| repository(name)).collect();
    let old =
        |name: &&String| !imported.contains(&name.as_str()) && repository(name).is_some_and(|name| new.contains(&name));
    present.iter().filter(old).cloned().collect()
}

/// The names of all images on the node.
pub(crate) async fn names(state: &State) -> Result<Vec<String>, ImageError> {
    let names = ctr(state)?.args(["images", "list", "-q"]).run().await?;
    Ok(names.lines().map(str::to_owned).collect())
}

/// Removes what an earlier cluster's containers left in the store that outlives it. Says whether there was anything.
pub(crate) async fn remove_old_containers(state: &State) -> Result<bool, ImageError> {
    let list = ctr(state)?.args(["containers", "list", "-q"]).run().await?;
    let containers: Vec<&str> = list.lines().collect();
    if !containers.is_empty() {
        ctr(state)?.args(["containers", "delete"]).args(&containers).limit(IMPORT_LIMIT).run().await?;
    }
    Ok(!containers.is_empty())
}

/// containerd's own client, reaching through the node's first process into its mounts.
fn ctr(state: &State) -> Result<Command, ImageError> {
    let node = process::node(state.folder()).ok_or(ImageError::NoNode)?;
    let root = process::proc(node.id, "root");
    let socket = root.join(CONTAINERD_SOCKET.trim_start_matches('/'));
    Ok(Command::new("ctr").arg("--address").arg(socket).args(["--namespace", "k8s.io"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_builds_of_an_image_are_replaced() {
        let said = "unpacking localhost/brickline/controller:2 (sha256:12)...done\n";
        let present = ["controller:1", "controller:2", "build:1"].map(|name| format!("localhost/brickline/{name}"));
        assert_eq!(replaced(&imported(said), &present), ["localhost/brickline/controller:1"]);
        assert!(replaced(&[], &["sha256:12".to_owned()]).is_empty());
    }
}
