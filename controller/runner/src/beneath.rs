//! Beneath a root, files are read without ever following a link: what the build left may point anywhere.
//!
//! The kernel does it in one call (`openat2`); where that's missing or forbidden, the path is opened part by part.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};
use rustix::io::Errno;

/// How deep folders may lie.
const MAX_DEPTH: usize = 64;
/// How often an open is repeated that raced with a rename.
const RACES: usize = 8;

/// A folder whose inside isn't trusted.
pub struct Root {
    folder: OwnedFd,
    whole: bool,
}

/// Files found beneath a root.
#[derive(Debug, Default)]
pub struct Found {
    pub files: Vec<String>,
    /// Whether there was more than the limit.
    pub cut: bool,
}

impl Root {
    /// Opens a root. Its own path is the pod's and trusted.
    pub fn open(path: &Path) -> io::Result<Self> {
        let folder = openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { folder, whole: true })
    }

    /// Opens a regular file at a relative path.
    pub fn file(&self, path: &str) -> io::Result<File> {
        let opened = self.resolve(path, OFlags::RDONLY)?;
        let kind = FileType::from_raw_mode(fstat(&opened)?.st_mode);
        if kind != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(opened.into())
    }

    /// Reads a regular file of at most so many bytes.
    pub fn read(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        self.file(path)?.take(limit + 1).read_to_end(&mut content)?;
        if content.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {limit} bytes")));
        }
        Ok(content)
    }

    /// Lists the regular files in a folder and below, looking at no more than so many entries.
    pub fn walk(&self, folder: &str, limit: usize) -> Found {
        let (mut found, mut seen) = (Found::default(), 0);
        let mut waiting = vec![folder.to_owned()];
        while let Some(folder) = waiting.pop() {
            for (name, kind) in self.list(&folder) {
                seen += 1;
                if seen > limit {
                    found.cut = true;
                    return found;
                }
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                match kind {
                    FileType::RegularFile => found.files.push(path),
                    FileType::Directory if path.matches('/').count() < MAX_DEPTH => waiting.push(path),
                    _ => {}
                }
            }
        }
        found.files.sort();
        found
    }

    /// What a folder holds; nothing if it can't be read.
    fn list(&self, folder: &str) -> Vec<(String, FileType)> {
        let at = if folder.is_empty() { "." } else { folder };
        let opened = self.resolve(at, OFlags::RDONLY | OFlags::DIRECTORY);
        let Ok(entries) = opened.and_then(|fd| Ok(Dir::read_from(fd)?)) else { return Vec::new() };
        let named = entries.flatten().filter_map(|entry| {
            let name = entry.file_name().to_str().ok()?.to_owned();
            (name != "." && name != "..").then(|| (name, entry.file_type()))
        });
        named.collect()
    }

    fn resolve(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        // Without NONBLOCK, opening a named pipe would wait for its writer.
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        if self.whole {
            match self.at_once(path, flags) {
                Err(Errno::NOSYS | Errno::PERM) => {}
                result => return Ok(result?),
            }
        }
        part_by_part(self.folder.as_fd(), path, flags)
    }

    fn at_once(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let rules = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let mut tries = 0;
        loop {
            tries += 1;
            match openat2(&self.folder, path, flags, Mode::empty(), rules) {
                Err(Errno::AGAIN) if tries < RACES => {}
                result => return result,
            }
        }
    }
}

fn part_by_part(root: impl AsFd, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
    let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut parts = path.split('/').peekable();
    let mut at = openat(root, ".", folder, Mode::empty())?;
    while let Some(part) = parts.next() {
        if matches!(part, "" | "..") || path.contains('\0') {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path leaves its root"));
        }
        let flags = if parts.peek().is_some() { folder } else { flags };
        at = openat(&at, part, flags, Mode::empty())?;
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use rstest::rstest;

    use super::*;

    fn prepared() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("root/in/deep")).expect("created");
        fs::write(at("outside"), "secret").expect("written");
        fs::write(at("root/in/deep/file"), "content").expect("written");
        symlink("/etc/passwd", at("root/absolute")).expect("linked");
        symlink("../outside", at("root/upwards")).expect("linked");
        symlink("in/deep/file", at("root/inside")).expect("linked");
        symlink("/etc", at("root/folder")).expect("linked");
        rustix::fs::mkfifoat(CWD, at("root/pipe"), Mode::from_raw_mode(0o600)).expect("made");
        let root = Root::open(&at("root")).expect("openable");
        (folder, root)
    }

    #[rstest]
    fn what_leads_elsewhere_is_not_opened(
        #[values(
            "absolute",
            "upwards",
            "inside",
            "folder/passwd",
            "../outside",
            "/etc/passwd",
            "in/../../outside",
            "pipe",
            "in",
            "none"
        )]
        path: &str,
        #[values(true, false)] whole: bool,
    ) {
        let (_folder, mut root) = prepared();
        root.whole = whole;
        assert!(root.file(path).is_err(), "{path}");
    }

    #[rstest]
    fn a_regular_file_is_read_within_its_limit(#[values(true, false)] whole: bool) {
        let (_folder, mut root) = prepared();
        root.whole = whole;
        assert_eq!(root.read("in/deep/file", 7).expect("readable"), b"content");
        assert_eq!(root.read("in/deep/file", 6).expect_err("too long").kind(), io::ErrorKind::FileTooLarge);
    }

    #[rstest]
    fn a_walk_lists_regular_files_only(#[values(true, false)] whole: bool) {
        let (folder, mut root) = prepared();
        root.whole = whole;
        fs::write(folder.path().join("root/a"), "").expect("written");
        assert_eq!(root.walk("", 100).files, ["a", "in/deep/file"]);
        assert_eq!(root.walk("in", 100).files, ["in/deep/file"]);
        assert!(root.walk("", 3).cut);
        assert!(root.walk("folder", 100).files.is_empty());
        assert!(root.walk("..", 100).files.is_empty());
    }
}
