//! A credential is a folder of files; git learns of it by its environment, never by an argument or the address.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use brickline_artifact::layout::credential;

use super::askpass;

/// The variables that let git use the credential.
pub fn environment(folder: &Path, private: &Path, url: &str) -> io::Result<Vec<(String, String)>> {
    let mut environment = askpass::environment(folder, url)?;
    environment.push(("GIT_SSH_COMMAND".into(), ssh(folder, private)?));
    if let Some(authority) = existing(folder, credential::CA) {
        environment.push(("GIT_SSL_CAINFO".into(), authority.to_string_lossy().into_owned()));
    }
    Ok(environment)
}

fn existing(folder: &Path, name: &str) -> Option<PathBuf> {
    Some(folder.join(name)).filter(|path| path.is_file())
}

/// Ssh accepts only known hosts and only the given key.
fn ssh(folder: &Path, private: &Path) -> io::Result<String> {
    let known_hosts = folder.join(credential::KNOWN_HOSTS);
    let mut command = String::from("ssh -F /dev/null -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=20");
    command += " -o StrictHostKeyChecking=yes -o GlobalKnownHostsFile=/dev/null -o UserKnownHostsFile=";
    command += &quote(&known_hosts);
    let key = existing(folder, credential::IDENTITY).or_else(|| existing(folder, credential::SSH_PRIVATE_KEY));
    if let Some(key) = key {
        command += " -o IdentitiesOnly=yes -i ";
        command += &quote(&private_copy(&key, private)?);
    }
    Ok(command)
}

/// Ssh refuses a key that others may read, and one without a last line end; a mounted secret can be both.
fn private_copy(key: &Path, private: &Path) -> io::Result<PathBuf> {
    let copy = private.join("identity");
    let mut text = fs::read(key)?;
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&copy)?.write_all(&text)?;
    Ok(copy)
}

/// Git hands the ssh command to a shell.
fn quote(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_key_is_copied_for_its_owner_alone() {
        let (folder, private) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
        fs::write(folder.path().join("ssh-privatekey"), "KEY").expect("written");
        let command = ssh(folder.path(), private.path()).expect("readable");
        let copy = private.path().join("identity");
        assert!(command.contains(&format!("-i '{}'", copy.display())) && command.contains("StrictHostKeyChecking=yes"));
        assert_eq!(fs::read(&copy).expect("copied"), b"KEY\n");
        assert_eq!(fs::metadata(&copy).expect("copied").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_quote_in_a_path_stays_in_the_path() {
        assert_eq!(quote(Path::new("/a'b")), r"'/a'\''b'");
    }
}
