//! The folder that stands for all files below it: pure.
//!
//! Locks are equal or strangers; a folder's lock says nothing of the folders in it. So every file is given one root by
//! its path alone, and two releases that write the same file have that root in common:
//!
//! | file | root |
//! | --- | --- |
//! | in a folder below `/Shared`, `/Users/<user>`, `/Repos/<user>`, `/Volumes/<catalog>/<schema>/<volume>` | that of these folders which it is in: `/Shared/dbxdemo` |
//! | right in one of them | that one itself: `/Shared` |
//! | elsewhere in the workspace | the first folder of its path |
//!
//! `/Shared` and `/Shared/dbxdemo` are two roots: a file right in `/Shared` is never one in a folder of it. The roots are
//! those of the files, not of the items' targets: an item to `/Shared` does not hold up every other project there.
//!
//! `/Workspace/Shared` is `/Shared`, and letters count alike in both cases: to hold up two releases that would not have
//! met costs time, to miss two that do costs a deployment.

/// The root of a file in the workspace, in small letters, without `/Workspace`: `/shared/dbxdemo`.
pub(super) fn root_of_file(path: &str) -> String {
    let path = path.to_lowercase();
    let mut folders: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    folders.pop();
    if matches!(folders.as_slice(), ["workspace", ..] | ["dbfs:", "volumes", ..]) {
        folders.remove(0);
    }
    folders.truncate(shared_folders(&folders) + 1);
    format!("/{}", folders.join("/"))
}

/// How many folders from the top belong to many: what lies right below them is a project's own.
fn shared_folders(folders: &[&str]) -> usize {
    match folders.first() {
        Some(&("shared" | "dbfs:")) => 1,
        Some(&("users" | "repos")) => 2,
        Some(&"volumes") => 4,
        _ => 0,
    }
}
