//! The tree is what git tracks at the commit, checked out with its submodules and large files.

use std::collections::HashMap;

use brickline_artifact::manifest::Change;
use brickline_artifact::plan::SourcePlan;

use super::changes::Changes;
use super::session::{Session, Trouble};
use crate::source::{Kind, TrackedFile};

/// What git says of a commit.
pub struct Commit {
    pub parents: Vec<String>,
    /// The committer's, in seconds since 1970.
    pub time: i64,
}

/// Reads a commit's parents and time.
pub fn inspect(session: &mut Session, commit: &str) -> Result<Commit, Trouble> {
    let output = session.ask(&["show", "--no-patch", "--no-show-signature", "--format=%ct %P", commit])?;
    let text = String::from_utf8_lossy(&output);
    let mut words = text.split_whitespace();
    let time = words.next().and_then(|time| time.parse().ok());
    let time = time.ok_or_else(|| Trouble::Failed(format!("git shows no time for {commit}")))?;
    Ok(Commit { parents: words.map(ToOwned::to_owned).collect(), time })
}

/// Puts the commit's files into the folder and makes sure that they are the commit's.
pub fn check_out(session: &mut Session, source: &SourcePlan) -> Result<(), Trouble> {
    session.git(&["checkout", "--quiet", "--force", "--detach", &source.commit])?;
    if source.lfs && uses_lfs(session)? {
        session.journal.say("fetching large files");
        session.git(&["lfs", "pull"])?;
    }
    if source.submodules && !session.ask(&["ls-tree", "--name-only", "HEAD", "--", ".gitmodules"])?.is_empty() {
        submodules(session)?;
    }
    let head = session.ask(&["rev-parse", "HEAD"])?;
    if String::from_utf8_lossy(&head).trim() == source.commit {
        return Ok(());
    }
    Err(Trouble::Failed("the tree checked out is not the release's commit".into()))
}

fn uses_lfs(session: &mut Session) -> Result<bool, Trouble> {
    session.holds(&[
        "grep",
        "--quiet",
        "--fixed-strings",
        "filter=lfs",
        "HEAD",
        "--",
        ".gitattributes",
        "**/.gitattributes",
    ])
}

/// Shallow if the servers hand out single commits, otherwise whole.
fn submodules(session: &mut Session) -> Result<(), Trouble> {
    session.journal.say("fetching submodules");
    let shallow = ["submodule", "update", "--init", "--recursive", "--jobs=4", "--depth=1"];
    if session.attempt(&shallow).is_success() {
        return Ok(());
    }
    session.git(&shallow[..5])
}

/// Every tracked file, submodules' included, with its mark.
pub fn files(session: &mut Session, changes: &Changes) -> Result<Vec<TrackedFile>, Trouble> {
    let output = session.ask(&["ls-files", "--stage", "--recurse-submodules", "-z"])?;
    let entries = output.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
    entries.map(|entry| file(entry, &changes.files)).collect()
}

/// Reads `<mode> <object> <stage>\t<path>`.
fn file(entry: &[u8], changes: &HashMap<String, (Change, Option<String>)>) -> Result<TrackedFile, Trouble> {
    let text = std::str::from_utf8(entry);
    let readable = text.is_ok();
    let text = text.map_or_else(|_| String::from_utf8_lossy(entry).into_owned(), ToOwned::to_owned);
    let (head, path) =
        text.split_once('\t').ok_or_else(|| Trouble::Failed("git lists files in an unknown form".into()))?;
    let kind = match &head[..head.len().min(6)] {
        _ if !readable => Kind::Unreadable,
        "120000" => Kind::Symlink,
        "160000" => Kind::Submodule,
        "100755" => Kind::Executable,
        _ => Kind::Regular,
    };
    let (change, previous_path) = mark(path, changes);
    Ok(TrackedFile { path: path.to_owned(), kind, change, previous_path })
}

/// A file's own mark, or its submodule's: git sees a changed submodule as one path.
fn mark(path: &str, changes: &HashMap<String, (Change, Option<String>)>) -> (Change, Option<String>) {
    if let Some(mark) = changes.get(path) {
        return mark.clone();
    }
    let folders = path.match_indices('/').map(|(end, _)| &path[..end]);
    let folder = folders.into_iter().find_map(|folder| changes.get(folder));
    folder.map_or((Change::Unchanged, None), |(change, _)| (*change, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_with_their_kind_and_mark() {
        let changes = HashMap::from([
            ("a b.py".to_owned(), (Change::Renamed, Some("old.py".to_owned()))),
            ("sub".to_owned(), (Change::Modified, None)),
        ]);
        let read = |entry: &str| file(entry.as_bytes(), &changes).expect("an entry");
        let renamed = read("100644 0123 0\ta b.py");
        assert_eq!(
            (renamed.kind, renamed.change, renamed.previous_path.as_deref()),
            (Kind::Regular, Change::Renamed, Some("old.py"))
        );
        assert_eq!(read("100755 0123 0\trun.sh").kind, Kind::Executable);
        assert_eq!(read("120000 0123 0\tlink").kind, Kind::Symlink);
        assert_eq!(read("100644 0123 0\tsub/deep/x.py").change, Change::Modified);
        assert_eq!(read("100644 0123 0\tsubway").change, Change::Unchanged);
        assert_eq!(file(b"100644 0123 0\t\xff.py", &changes).expect("an entry").kind, Kind::Unreadable);
        assert!(file(b"junk", &changes).is_err());
    }
}
