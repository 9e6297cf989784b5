//! Names of places in the workspace: pure.

/// The one name of a place: `/Workspace/Shared/a` is `/Shared/a`.
pub(super) fn key(to: &str) -> String {
    match to.strip_prefix("/Workspace/") {
        Some(below) => format!("/{below}"),
        None => to.to_owned(),
    }
}

/// The folder a place is in; none for what lies at the top.
pub(super) fn folder(place: &str) -> Option<&str> {
    place.rsplit_once('/').map(|(folder, _)| folder).filter(|folder| !folder.is_empty())
}

/// Whether a place lies below a folder.
pub(super) fn is_below(place: &str, folder: &str) -> bool {
    place.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("/Workspace/Shared/a", "/Shared/a")]
    #[case("/Shared/a", "/Shared/a")]
    #[case("/Workspaces/a", "/Workspaces/a")]
    #[case("/Volumes/c/s/v/Workspace/a", "/Volumes/c/s/v/Workspace/a")]
    fn a_place_has_one_name(#[case] to: &str, #[case] expected: &str) {
        assert_eq!(key(to), expected);
    }

    #[rstest]
    #[case("/Shared/a/b", "/Shared/a", true)]
    #[case("/Shared/ab", "/Shared/a", false)]
    #[case("/Shared/a", "/Shared/a", false)]
    fn below_is_more_than_a_prefix(#[case] place: &str, #[case] folder: &str, #[case] expected: bool) {
        assert_eq!(is_below(place, folder), expected);
    }
}
