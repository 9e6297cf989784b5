//! Markup is what stands around the words of a cell's output: escape codes of terminals, tags and entities of pages.

/// Takes terminal escape codes out of a text, and carriage returns before line ends.
#[must_use]
pub fn strip_ansi(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' => plain.push('\n'),
            c => plain.push(c),
        }
    }
    plain
}

/// Skips what follows an escape character: `[...letter`, `]...bell`, or one character.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            // A code that never ends must not swallow the rest: parameters stop at the first other character.
            while chars.next_if(|c| matches!(c, ' '..='?')).is_some() {}
            chars.next_if(|c| matches!(c, '@'..='~'));
        }
        Some(']') => skip_title(chars),
        Some('@'..='_') => {
            chars.next();
        }
        _ => {}
    }
}

/// Skips an operating system command, which ends with a bell or `ESC \`; at the latest at the end of the line.
fn skip_title(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while let Some(c) = chars.next_if(|c| *c != '\n') {
        if c == '\u{7}' {
            return;
        }
        if c == '\u{1b}' {
            chars.next_if_eq(&'\\');
            return;
        }
    }
}

/// Elements that begin a new line.
const BLOCKS: [&str; 13] = ["br", "p", "div", "tr", "li", "ul", "ol", "pre", "table", "h1", "h2", "h3", "hr"];
/// The longest tag that is taken for one; a `<` without `>` within this many bytes is text.
const MAX_TAG: usize = 4096;

/// The words of a piece of HTML: tags dropped, block elements as line ends, entities as characters.
#[must_use]
pub fn to_text(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        text.push_str(&unescape(&rest[..at]));
        if let Some((name, after)) = tag(&rest[at..]) {
            if BLOCKS.contains(&name.as_str()) && !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            rest = after;
        } else {
            text.push('<');
            rest = &rest[at + 1..];
        }
    }
    text.push_str(&unescape(rest));
    text
}

/// Reads one tag at the beginning of `html`: its name without slash, in small letters, and what follows it.
fn tag(html: &str) -> Option<(String, &str)> {
    let inner = html[1..].trim_start_matches(['/', '!', '?']);
    if !inner.starts_with(|c: char| c.is_ascii_alphabetic() || c == '-') {
        return None;
    }
    let end = html.bytes().take(MAX_TAG).position(|byte| byte == b'>')?;
    let name = inner.chars().take_while(char::is_ascii_alphanumeric).take(12).collect::<String>();
    Some((name.to_ascii_lowercase(), &html[end + 1..]))
}

/// Turns entities into characters; unknown ones stay as they are.
#[must_use]
pub fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        let known = end.and_then(|end| Some((entity(&rest[1..end])?, end + 1)));
        let (c, length) = known.unwrap_or(('&', 1));
        plain.push(c);
        rest = &rest[length..];
    }
    plain.push_str(rest);
    plain
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        _ => {
            let number = name.strip_prefix('#')?;
            let hex = number.strip_prefix(['x', 'X']).map(|digits| u32::from_str_radix(digits, 16));
            char::from_u32(hex.unwrap_or_else(|| number.parse()).ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("\u{1b}[0;31mFAILED\u{1b}[0m (failures=1)", "FAILED (failures=1)")]
    #[case("\u{1b}]0;title\u{7}ok\r\nnext", "ok\nnext")]
    #[case("\u{1b}]8;;https://x\u{1b}\\link", "link")]
    #[case("\u{1b}[31", "")]
    #[case("\u{1b}]never ends\nFAILED", "\nFAILED")]
    #[case("10%\rdone", "10%\ndone")]
    fn escape_codes_go_and_words_stay(#[case] text: &str, #[case] plain: &str) {
        assert_eq!(strip_ansi(text), plain);
    }

    #[rstest]
    #[case("<div class=\"ansiout\">a &lt; b<br/>c</div><p>d &#39;&#x41;&amp;lt;", "a < b\nc\nd 'A&lt;")]
    #[case("1 < 2 & 3 > 2 &nope; &", "1 < 2 & 3 > 2 &nope; &")]
    #[case("<span class='ansired'>AssertionError</span>: 1 != 2", "AssertionError: 1 != 2")]
    fn tags_go_and_words_stay(#[case] html: &str, #[case] plain: &str) {
        assert_eq!(to_text(html), plain);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[<>&;#x/a-c\u{1b}\\[\\]\\\\\u{7}ß€0-9m \n\r!-]{0,200}") {
            prop_assert!(to_text(&text).len() <= text.len() + 1);
            prop_assert_eq!(strip_ansi(&text).find('\u{1b}'), None);
        }
    }
}
