//! Names of places in the workspace: pure.

/// The one name of a place: `/Workspace/Shared/a` is `/Shared/a`.
pub(super) fn key(to: &str) -> String {
    match to.strip_prefix("/Workspace/") {
        Some(below) => format!("/{below}"),
        None => to.to_owned(),
    }
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
}
