//! A wheel's file name says its distribution and version; both have one normal form for comparison.

/// What a wheel's file name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelName {
    /// The distribution, normalised by [`normalise`].
    pub distribution: String,
    /// The version as written.
    pub version: String,
    /// The tags after the version, such as `py3-none-any`.
    pub tags: String,
}

/// The longest wheel file name, in bytes.
const MAX_BYTES: usize = 255;

/// The one spelling of a distribution's name (PEP 503): lower case, runs of `-`, `_` and `.` become one `-`.
#[must_use]
pub fn normalise(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    let mut gap = false;
    for c in name.chars() {
        match c {
            '-' | '_' | '.' => gap = true,
            c => {
                if std::mem::take(&mut gap) {
                    normal.push('-');
                }
                normal.push(c.to_ascii_lowercase());
            }
        }
    }
    if gap {
        normal.push('-');
    }
    normal
}

/// Reads a wheel's file name: `name-version(-build)?-python-abi-platform.whl`. None if it isn't one.
#[must_use]
pub fn parse(file: &str) -> Option<WheelName> {
    let stem = file.strip_suffix(".whl").filter(|_| file.len() <= MAX_BYTES)?;
    let parts: Vec<&str> = stem.split('-').collect();
    let sound = matches!(parts.len(), 5 | 6) && parts.iter().all(|part| is_part(part));
    let starts_with_letter_or_digit = |part: &str| part.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !sound || !starts_with_letter_or_digit(parts[0]) || !starts_with_letter_or_digit(parts[1]) {
        return None;
    }
    Some(WheelName { distribution: normalise(parts[0]), version: parts[1].into(), tags: parts[2..].join("-") })
}

fn is_part(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._+!".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Friendly-Bard", "friendly-bard")]
    #[case("FRIENDLY_BARD", "friendly-bard")]
    #[case("friendly.-_bard", "friendly-bard")]
    #[case("dbxdemo", "dbxdemo")]
    fn spellings_meet(#[case] name: &str, #[case] normal: &str) {
        assert_eq!(normalise(name), normal);
    }

    #[test]
    fn a_wheels_name_is_read() {
        let name = parse("Dbx_Demo-0.1.0+local.1-py3-none-any.whl").expect("a wheel");
        assert_eq!((name.distribution.as_str(), name.version.as_str()), ("dbx-demo", "0.1.0+local.1"));
        assert_eq!(
            parse("a-1-2build-cp311-cp311-linux_x86_64.whl").expect("a wheel").tags,
            "2build-cp311-cp311-linux_x86_64"
        );
    }

    #[rstest]
    #[case("dbxdemo-0.1.0.tar.gz")]
    #[case("dbxdemo.whl")]
    #[case("-0.1-py3-none-any.whl")]
    #[case("../x-0.1-py3-none-any.whl")]
    #[case("..-0.1-py3-none-any.whl")]
    #[case("a b-0.1-py3-none-any.whl")]
    fn other_names_are_refused(#[case] file: &str) {
        assert_eq!(parse(file), None);
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(name in ".{0,40}") {
            let once = normalise(&name);
            prop_assert_eq!(normalise(&once), once);
        }

        #[test]
        fn what_is_read_is_a_safe_name(file in "[a-zA-Z0-9._/+-]{0,40}\\.whl") {
            if parse(&file).is_some() {
                prop_assert!(!file.contains('/') && crate::ArtifactPath::new(file.as_str()).is_ok());
            }
        }
    }
}
