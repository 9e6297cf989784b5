//! What users can do about a library that a cluster does not take, where Databricks' words don't tell: pure.

use crate::databricks::libraries::Library;

/// The first runtime that installs no libraries from DBFS, unless a workspace allows it.
const WITHOUT_DBFS: (u32, u32) = (15, 1);
const DBFS: &str = "; since runtime 15.1 libraries on DBFS are off: put the file into a volume (/Volumes/...) or a workspace \
    folder (/Workspace/...), with deploy.libraries.to if it is a wheel of the artifact";

/// What to add to Databricks' words on a library that failed on this runtime.
pub(super) fn hint(library: &Library, runtime: &str) -> &'static str {
    let path = match library {
        Library::Whl(path) | Library::Jar(path) | Library::Requirements(path) => path.as_str(),
        _ => "",
    };
    // Volumes can be written so too.
    let on_dbfs = path.starts_with("dbfs:/") && !path.starts_with("dbfs:/Volumes/");
    if on_dbfs && version(runtime).is_some_and(|version| version >= WITHOUT_DBFS) { DBFS } else { "" }
}

/// Major and minor of `15.4.x-scala2.12`; none for an image of the user's own.
fn version(runtime: &str) -> Option<(u32, u32)> {
    let mut numbers = runtime.split(['.', '-']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("dbfs:/libs/a-1.0-py3-none-any.whl", "15.4.x-scala2.12", true)]
    #[case("dbfs:/libs/a-1.0-py3-none-any.whl", "15.1.x-scala2.12", true)]
    #[case("dbfs:/libs/a-1.0-py3-none-any.whl", "16.0.x-photon-scala2.12", true)]
    #[case("dbfs:/libs/a-1.0-py3-none-any.whl", "15.0.x-scala2.12", false)]
    #[case("dbfs:/libs/a-1.0-py3-none-any.whl", "14.3.x-cpu-ml-scala2.12", false)]
    #[case("dbfs:/libs/a-1.0-py3-none-any.whl", "custom:mine", false)]
    #[case("dbfs:/libs/a-1.0-py3-none-any.whl", "", false)]
    #[case("dbfs:/Volumes/main/libs/a-1.0-py3-none-any.whl", "15.4.x-scala2.12", false)]
    #[case("/Volumes/main/libs/a-1.0-py3-none-any.whl", "15.4.x-scala2.12", false)]
    fn dbfs_is_named_where_it_is_off(#[case] path: &str, #[case] runtime: &str, #[case] named: bool) {
        assert_eq!(hint(&Library::Whl(path.to_owned()), runtime).contains("/Volumes/..."), named);
        assert_eq!(hint(&Library::Jar(path.to_owned()), runtime).contains("/Workspace/..."), named);
    }
}
