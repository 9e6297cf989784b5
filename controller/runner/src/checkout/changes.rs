//! Changes are what git sees between the base and the commit, path by path.

use std::collections::HashMap;

use brickline_artifact::manifest::Change;

use super::session::{Session, Trouble};

/// What became of each path; what isn't here is unchanged.
#[derive(Debug, Default)]
pub struct Changes {
    pub files: HashMap<String, (Change, Option<String>)>,
    pub removed: Vec<String>,
}

/// Compares two trees. Without a base, everything at the commit is added.
pub fn between(session: &mut Session, base: Option<&str>, commit: &str) -> Result<Changes, Trouble> {
    let Some(base) = base else { return everything(session, commit) };
    let compare =
        ["diff", "--name-status", "-z", "--find-renames", "-l2000", "--no-ext-diff", "--no-textconv", base, commit];
    parse(&session.ask(&compare)?)
}

fn everything(session: &mut Session, commit: &str) -> Result<Changes, Trouble> {
    let output = session.ask(&["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit])?;
    let files = fields(&output).map(|path| (path, (Change::Added, None))).collect();
    Ok(Changes { files, removed: Vec::new() })
}

fn fields(output: &[u8]) -> impl Iterator<Item = String> {
    output
        .split(|byte| *byte == 0)
        .filter(|field| !field.is_empty())
        .map(|field| String::from_utf8_lossy(field).into_owned())
}

/// Reads `<letter>\0<path>\0`, or for renames and copies `<letter><percent>\0<old>\0<new>\0`.
fn parse(output: &[u8]) -> Result<Changes, Trouble> {
    let mut changes = Changes::default();
    let mut fields = fields(output);
    while let Some(status) = fields.next() {
        let mut path = || fields.next().ok_or_else(|| Trouble::Failed("git's comparison ends within a line".into()));
        match status.as_bytes().first() {
            Some(b'D') => changes.removed.push(path()?),
            Some(b'A') => drop(changes.files.insert(path()?, (Change::Added, None))),
            Some(b'R') => {
                let old = path()?;
                changes.files.insert(path()?, (Change::Renamed, Some(old.clone())));
                changes.removed.push(old);
            }
            Some(b'C') => {
                path()?;
                changes.files.insert(path()?, (Change::Added, None));
            }
            _ => drop(changes.files.insert(path()?, (Change::Modified, None))),
        }
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_letter_is_read() {
        let changes = parse(b"A\0new\0M\0edited\0D\0gone\0R087\0old\0moved\0T\0mode\0").expect("well formed");
        assert_eq!(changes.files["new"], (Change::Added, None));
        assert_eq!(changes.files["edited"], (Change::Modified, None));
        assert_eq!(changes.files["moved"], (Change::Renamed, Some("old".into())));
        assert_eq!(changes.files["mode"], (Change::Modified, None));
        assert_eq!(changes.removed, ["gone", "old"]);
    }

    proptest! {
        #[test]
        fn junk_is_judged_without_panic(junk in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse(&junk);
        }
    }
}
