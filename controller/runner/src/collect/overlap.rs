//! Wheels that install different files at one place: whichever came last on a cluster would win.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader};

use zip::ZipArchive;

/// The most files of one wheel that are looked at.
const MAX_FILES: usize = 100_000;

/// What a wheel puts into `site-packages`: each path with the checksum of its content.
pub(super) fn files(wheel: &File) -> io::Result<BTreeMap<String, u32>> {
    let mut archive = ZipArchive::new(BufReader::new(wheel))?;
    let mut files = BTreeMap::new();
    for index in 0..archive.len().min(MAX_FILES) {
        let file = archive.by_index_raw(index)?;
        if !file.is_dir() && is_installed(&file.name()?) {
            files.insert(file.name()?.into_owned(), file.crc32());
        }
    }
    Ok(files)
}

/// Metadata lies in a folder of the wheel's own name, and `.data` goes elsewhere.
fn is_installed(path: &str) -> bool {
    let folder = path.split('/').next().unwrap_or_default();
    let apart = folder.rsplit_once('.').map(|(_, suffix)| suffix);
    !matches!(apart, Some("dist-info" | "data"))
}

/// The first place where both put something, and not the same. Packages that share a namespace bring the same file twice.
pub(super) fn clash<'a>(one: &'a BTreeMap<String, u32>, other: &BTreeMap<String, u32>) -> Option<&'a str> {
    let mut both = one.iter().filter(|(path, checksum)| other.get(*path).is_some_and(|found| found != *checksum));
    both.next().map(|(path, _)| path.as_str())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use rstest::rstest;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn wheel(files: &[(&str, &str)]) -> File {
        let mut archive = ZipWriter::new(tempfile::tempfile().expect("a file"));
        for (path, content) in files {
            archive.start_file(*path, SimpleFileOptions::default()).expect("an entry");
            archive.write_all(content.as_bytes()).expect("its content");
        }
        archive.finish().expect("an archive")
    }

    #[rstest]
    #[case::modules_at_the_top(&[("addcol.py", "a")], &[("addcol.py", "b")], Some("addcol.py"))]
    #[case::the_same_content(&[("ns/__init__.py", "")], &[("ns/__init__.py", "")], None)]
    #[case::metadata(&[("a-1.dist-info/METADATA", "a")], &[("a-1.dist-info/METADATA", "b")], None)]
    #[case::packages(&[("a/__init__.py", "a")], &[("b/__init__.py", "b")], None)]
    fn two_wheels_that_put_different_files_at_one_place_clash(
        #[case] one: &[(&str, &str)],
        #[case] other: &[(&str, &str)],
        #[case] clashes: Option<&str>,
    ) {
        let (one, other) = (files(&wheel(one)).expect("files"), files(&wheel(other)).expect("files"));
        assert_eq!(clash(&one, &other), clashes);
    }
}
