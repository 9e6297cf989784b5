//! What goes over the wire: git's packet lines, their meaning, and nothing that a server could break. Pure.

use gix_packetline::PacketLineRef;
use gix_packetline::blocking_io::encode;
use gix_packetline::decode::{self, Stream};

use super::Refs;
use crate::forge::branch::Wanted;

/// The most refs that are kept.
const REFS: usize = 10_000;
/// The longest name of a ref that a release's source may carry, in bytes.
const NAME: usize = 512;
const HEADS: &str = "refs/heads/";

/// Why an answer could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is not in git's format, or incomplete.
    NotGit,
    /// The server says `ERR`.
    Complaint,
    /// More refs than are kept.
    TooMany,
}

/// What a server answers to the first request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Advertisement {
    /// It waits for a command. The format of object names is repeated to it: it would take SHA-1 to be meant otherwise.
    Version2 { object_format: Option<String> },
    /// All its refs; here those that are wanted.
    Refs(Refs),
}

/// Reads the answer to `info/refs`, in any of git's three versions.
pub(super) fn advertisement(body: &[u8], wanted: &Wanted<'_>) -> Result<Advertisement, Unread> {
    let mut lines = Lines(body);
    let mut first = lines.data()?;
    // HTTP's own first section; version 2 leaves it out, some forges don't.
    if first == Some(b"# service=git-upload-pack") {
        if lines.data()?.is_some() {
            return Err(Unread::NotGit);
        }
        first = lines.data()?;
    }
    match first {
        Some(b"version 2") => capabilities(&mut lines),
        Some(b"version 1") => {
            let first = lines.data()?;
            section(first, &mut lines, wanted).map(Advertisement::Refs)
        }
        first => section(first, &mut lines, wanted).map(Advertisement::Refs),
    }
}

/// Reads the answer to `ls-refs`.
pub(super) fn refs(body: &[u8], wanted: &Wanted<'_>) -> Result<Refs, Unread> {
    let mut lines = Lines(body);
    let first = lines.data()?;
    section(first, &mut lines, wanted)
}

/// The command `ls-refs`, for the branches that the patterns can mean.
pub(super) fn ls_refs(patterns: &[String], object_format: Option<&str>) -> Vec<u8> {
    let mut command = Vec::new();
    let format = object_format.map(|format| format!("object-format={format}"));
    let capabilities = ["command=ls-refs".to_owned()].into_iter().chain(format);
    let prefixes = patterns.iter().map(|pattern| format!("ref-prefix {HEADS}{}", literal(pattern)));
    // A vector takes everything, and no line is longer than git's longest: patterns have at most 255 characters.
    for line in capabilities {
        let _ = encode::text_to_write(line.as_bytes(), &mut command);
    }
    let _ = encode::delim_to_write(&mut command);
    for line in prefixes {
        let _ = encode::text_to_write(line.as_bytes(), &mut command);
    }
    let _ = encode::flush_to_write(&mut command);
    command
}

/// What every branch begins with that the pattern means.
fn literal(pattern: &str) -> &str {
    pattern.find(['*', '?', '[', ']', '{', '}', '\\']).and_then(|end| pattern.get(..end)).unwrap_or(pattern)
}

/// The lines after `version 2`, up to the flush.
fn capabilities(lines: &mut Lines<'_>) -> Result<Advertisement, Unread> {
    let (mut listed, mut object_format) = (false, None);
    while let Some(line) = lines.data()? {
        let line = std::str::from_utf8(line).unwrap_or_default();
        listed |= line == "ls-refs" || line.starts_with("ls-refs=");
        if let Some(format) = line.strip_prefix("object-format=") {
            object_format = Some(format.to_owned()).filter(|format| matches!(format.as_str(), "sha1" | "sha256"));
        }
    }
    if listed { Ok(Advertisement::Version2 { object_format }) } else { Err(Unread::NotGit) }
}

/// Lines of refs from `line` on, up to the flush.
fn section<'a>(mut line: Option<&'a [u8]>, lines: &mut Lines<'a>, wanted: &Wanted<'_>) -> Result<Refs, Unread> {
    let mut refs = Refs::new();
    while let Some(text) = line {
        if let Some((name, commit)) = reference(text, wanted)? {
            refs.insert(name, commit);
        }
        if refs.len() > REFS {
            return Err(Unread::TooMany);
        }
        line = lines.data()?;
    }
    Ok(refs)
}

/// `<object> <name>`, and what follows a NUL (version 0's capabilities) or a space (version 2's attributes). None: a ref
/// nobody asked for, or one that no release could name.
fn reference(line: &[u8], wanted: &Wanted<'_>) -> Result<Option<(String, String)>, Unread> {
    let mut words = line.split(|byte| matches!(byte, b' ' | 0));
    let (Some(object), Some(name)) = (words.next(), words.next()) else { return Err(Unread::NotGit) };
    if object == b"shallow" {
        return Ok(None);
    }
    let hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let (true, Ok(commit)) = (matches!(object.len(), 40 | 64) && object.iter().all(hex), std::str::from_utf8(object))
    else {
        return Err(Unread::NotGit);
    };
    let name = std::str::from_utf8(name).ok().filter(|name| name.len() <= NAME && !name.contains(char::is_control));
    let name = name.filter(|name| name.strip_prefix(HEADS).is_some_and(|branch| wanted.is(branch)));
    Ok(name.map(|name| (name.to_owned(), commit.to_owned())))
}

/// Packet lines, one after the other.
struct Lines<'a>(&'a [u8]);

impl<'a> Lines<'a> {
    /// The next line without its line end; none at the flush that ends a section. An answer that ends before is cut off.
    fn data(&mut self) -> Result<Option<&'a [u8]>, Unread> {
        let Ok(Stream::Complete { line, bytes_consumed }) = decode::streaming(self.0) else {
            return Err(Unread::NotGit);
        };
        self.0 = self.0.get(bytes_consumed..).unwrap_or_default();
        if line.check_error().is_some() {
            return Err(Unread::Complaint);
        }
        match line {
            PacketLineRef::Data(data) => Ok(Some(data.strip_suffix(b"\n").unwrap_or(data))),
            PacketLineRef::Flush => Ok(None),
            PacketLineRef::Delimiter | PacketLineRef::ResponseEnd => Err(Unread::NotGit),
        }
    }
}
