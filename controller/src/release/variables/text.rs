//! One string: `$(NAME)` stands for a value, `$$(` for the two characters `$(`.

/// A part of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Characters that stand for themselves.
    Text(&'a str),
    /// `$$(`.
    Escape,
    /// `$(NAME)`: the name.
    Name(&'a str),
    /// A `$(` that no name and `)` follow, such as a shell's `$(git rev-parse HEAD)`.
    Open,
}

/// The parts of a string, in order.
pub(super) fn parts(text: &str) -> Vec<Part<'_>> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once("$(") {
        rest = after;
        if let Some(before) = before.strip_suffix('$') {
            parts.extend([Part::Text(before), Part::Escape]);
            continue;
        }
        parts.push(Part::Text(before));
        match after.split_once(')') {
            Some((name, tail)) if is_name(name) => {
                parts.push(Part::Name(name));
                rest = tail;
            }
            _ => parts.push(Part::Open),
        }
    }
    parts.push(Part::Text(rest));
    parts
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// The names that a string uses, in order.
pub(crate) fn names(text: &str) -> Vec<&str> {
    parts(text).into_iter().filter_map(|part| if let Part::Name(name) = part { Some(name) } else { None }).collect()
}

/// The string with the values that `value` knows; other names stay as they are written. A value is not looked at again:
/// what looks like a name in it is text.
pub(crate) fn fill<'a>(text: &str, value: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut filled = String::with_capacity(text.len());
    for part in parts(text) {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Escape | Part::Open => filled.push_str("$("),
            Part::Name(name) => match value(name) {
                Some(value) => filled.push_str(value),
                None => filled.extend(["$(", name, ")"]),
            },
        }
    }
    filled
}
