//! Install copies the running binary into a shared folder; its image has no shell to do so.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use brickline_artifact::layout::RUNNER_BINARY;

/// Copies this binary into a folder; by a rename, so that nobody ever sees half of it.
pub fn install(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut copy = tempfile::NamedTempFile::new_in(folder)?;
    io::copy(&mut fs::File::open(std::env::current_exe()?)?, copy.as_file_mut())?;
    copy.as_file().set_permissions(fs::Permissions::from_mode(0o755))?;
    copy.persist(folder.join(RUNNER_BINARY))?;
    Ok(())
}
