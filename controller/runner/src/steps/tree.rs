//! A tree is a writable copy of the pristine source; links in it are copied as links.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use walkdir::WalkDir;

/// Copies a folder, git's own data included: some packages read their version from it.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in WalkDir::new(from) {
        let entry = entry?;
        let path = entry.path();
        let target = path.strip_prefix(from).map(|inner| to.join(inner)).map_err(io::Error::other)?;
        let kind = entry.file_type();
        if kind.is_dir() {
            fs::create_dir_all(&target)?;
        } else if kind.is_symlink() {
            replace_link(path, &target)?;
        } else if kind.is_file() {
            fs::copy(path, &target)?;
        }
    }
    Ok(())
}

fn replace_link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => symlink(fs::read_link(from)?, to),
    }
}
