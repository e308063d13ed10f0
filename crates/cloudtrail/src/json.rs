//! Strict scanning of JSON text (RFC 8259), without building anything.
//!
//! Where a record ends and whether it is valid is found in the same pass that finds its fields, so
//! no byte of a sound record is looked at twice. Nothing here recurses: depth costs one bit a level.

/// Why scanning stopped before the end of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The text ends within the value.
    End,
    /// The text is no JSON from this byte on.
    Bad { at: usize, reason: &'static str },
}

/// A scanned string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quoted {
    /// First byte after the closing quote.
    pub end: usize,
    /// Whether a backslash stands in it.
    pub escaped: bool,
}

/// Returns the byte at `at`.
#[inline]
pub(crate) fn byte(bytes: &[u8], at: usize) -> Result<u8, Stop> {
    bytes.get(at).copied().ok_or(Stop::End)
}

/// Returns the end of the white space that starts at `at`.
#[inline]
pub(crate) fn gap(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Returns where the run of bytes that a JSON string may hold as they are, from `at` on, ends: at
/// a quote, a backslash, a control character or the end.
#[inline]
pub(crate) fn plain_run(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..at + 8) {
        let Ok(chunk) = <[u8; 8]>::try_from(chunk) else { break };
        let word = u64::from_le_bytes(chunk);
        let quote = word ^ (LOW * b'"' as u64);
        let slash = word ^ (LOW * b'\\' as u64);
        // The lowest marked byte is exact; borrows only disturb bytes above it.
        let marks = (quote.wrapping_sub(LOW) & !quote)
            | (slash.wrapping_sub(LOW) & !slash)
            | (word.wrapping_sub(LOW * 0x20) & !word);
        let marks = marks & HIGH;
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(b) = bytes.get(at) {
        if matches!(b, b'"' | b'\\' | 0..=0x1f) {
            break;
        }
        at += 1;
    }
    at
}

/// Scans the string whose opening quote stands at `at`.
#[inline]
pub(crate) fn string(bytes: &[u8], at: usize) -> Result<Quoted, Stop> {
    if byte(bytes, at)? != b'"' {
        return Err(Stop::Bad { at, reason: "a string must stand here" });
    }
    let mut escaped = false;
    let mut at = at + 1;
    loop {
        at = plain_run(bytes, at);
        match byte(bytes, at)? {
            b'"' => return Ok(Quoted { end: at + 1, escaped }),
            b'\\' => {
                escaped = true;
                at = escape(bytes, at)?;
            }
            _ => return Err(Stop::Bad { at, reason: "a control character in a string" }),
        }
    }
}

/// Scans the escape whose backslash stands at `at`.
fn escape(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    match byte(bytes, at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 2),
        b'u' => {
            for digit in at + 2..at + 6 {
                if !byte(bytes, digit)?.is_ascii_hexdigit() {
                    return Err(Stop::Bad { at, reason: "an escape that is none" });
                }
            }
            Ok(at + 6)
        }
        _ => Err(Stop::Bad { at, reason: "an escape that is none" }),
    }
}

/// Scans the literal or number that starts at `at`.
fn scalar(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    match byte(bytes, at)? {
        b't' => literal(bytes, at, b"true"),
        b'f' => literal(bytes, at, b"false"),
        b'n' => literal(bytes, at, b"null"),
        b'-' | b'0'..=b'9' => number(bytes, at),
        _ => Err(Stop::Bad { at, reason: "a value must stand here" }),
    }
}

fn literal(bytes: &[u8], at: usize, word: &[u8]) -> Result<usize, Stop> {
    for (i, expected) in word.iter().enumerate() {
        if byte(bytes, at + i)? != *expected {
            return Err(Stop::Bad { at, reason: "a word that is no literal" });
        }
    }
    Ok(at + word.len())
}

fn number(bytes: &[u8], start: usize) -> Result<usize, Stop> {
    let bad = Stop::Bad { at: start, reason: "a number that is none" };
    let digits = |mut at: usize| -> Result<usize, Stop> {
        if !byte(bytes, at)?.is_ascii_digit() {
            return Err(bad);
        }
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        Ok(at)
    };
    let mut at = if bytes[start] == b'-' { start + 1 } else { start };
    at = if byte(bytes, at)? == b'0' { at + 1 } else { digits(at)? };
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let sign = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = digits(at + 1 + usize::from(sign))?;
    }
    Ok(at)
}

/// Scans a key and its colon; returns where its value starts.
fn key(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    let at = gap(bytes, string(bytes, at)?.end);
    if byte(bytes, at)? != b':' {
        return Err(Stop::Bad { at, reason: "a colon must stand here" });
    }
    Ok(gap(bytes, at + 1))
}

/// Scans the value that starts at `at`, at most `depth_max` brackets deep; returns its end.
pub(crate) fn value(bytes: &[u8], mut at: usize, depth_max: usize) -> Result<usize, Stop> {
    let mut nesting = Nesting::default();
    loop {
        let open = byte(bytes, at)?;
        at = match open {
            b'"' => string(bytes, at)?.end,
            b'{' | b'[' => {
                let next = gap(bytes, at + 1);
                let first = byte(bytes, next)?;
                if first == open + 2 {
                    next + 1
                } else {
                    if nesting.depth >= depth_max {
                        return Err(Stop::Bad { at, reason: "nested too deeply" });
                    }
                    nesting.push(open == b'{');
                    at = if open == b'{' { key(bytes, next)? } else { next };
                    continue;
                }
            }
            _ => scalar(bytes, at)?,
        };
        loop {
            let Some(in_object) = nesting.innermost() else { return Ok(at) };
            at = gap(bytes, at);
            match byte(bytes, at)? {
                b',' => {
                    at = gap(bytes, at + 1);
                    if in_object {
                        at = key(bytes, at)?;
                    }
                    break;
                }
                b'}' if in_object => nesting.pop(),
                b']' if !in_object => nesting.pop(),
                _ => return Err(Stop::Bad { at, reason: "a comma or the end must stand here" }),
            }
            at += 1;
        }
    }
}

/// The open brackets, one bit each: set for an object.
#[derive(Default)]
struct Nesting {
    depth: usize,
    bits: u64,
    outer: Vec<u64>,
}

impl Nesting {
    fn push(&mut self, object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.bits);
        }
        self.bits = self.bits << 1 | u64::from(object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.depth -= 1;
        self.bits >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.bits = self.outer.pop().unwrap_or_default();
        }
    }

    fn innermost(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.bits & 1 == 1)
    }
}

/// Appends what the text between two quotes says; returns whether all of it can be said in UTF-8.
///
/// A lone surrogate becomes U+FFFD. `raw` must have been scanned.
pub(crate) fn unescape(raw: &str, out: &mut String) -> bool {
    let mut exact = true;
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        let mut taken = at + 2;
        match code {
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'n' => out.push('\n'),
            b'r' => out.push('\r'),
            b't' => out.push('\t'),
            b'u' => {
                let unit = code_unit(rest, at).unwrap_or(0xfffd);
                taken = at + 6;
                match char::from_u32(unit) {
                    Some(c) => out.push(c),
                    None => match low_surrogate(rest, at + 6).filter(|_| unit < 0xdc00) {
                        Some(low) => {
                            let c = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                            out.push(char::from_u32(c).unwrap_or('\u{fffd}'));
                            taken = at + 12;
                        }
                        None => {
                            out.push('\u{fffd}');
                            exact = false;
                        }
                    },
                }
            }
            other => out.push(char::from(other)),
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    out.push_str(rest);
    exact
}

/// Returns the code unit of the `\uXXXX` whose backslash stands at `at`.
fn code_unit(raw: &str, at: usize) -> Option<u32> {
    u32::from_str_radix(raw.get(at + 2..at + 6)?, 16).ok()
}

fn low_surrogate(raw: &str, at: usize) -> Option<u32> {
    if !raw.get(at..)?.starts_with("\\u") {
        return None;
    }
    code_unit(raw, at).filter(|unit| (0xdc00..0xe000).contains(unit))
}

/// The members of an object's text, one after the other: raw key and raw value.
pub(crate) struct Members<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Members<'a> {
    /// Reads the object that `text` is; an empty text has no members.
    pub fn new(text: &'a str) -> Members<'a> {
        Members { text, at: gap(text.as_bytes(), 0) + 1 }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let mut at = gap(bytes, self.at);
        if bytes.get(at) == Some(&b',') {
            at = gap(bytes, at + 1);
        }
        let name = string(bytes, at).ok()?;
        let start = key(bytes, at).ok()?;
        let end = value(bytes, start, usize::MAX).ok()?;
        self.at = end;
        Some((self.text.get(at + 1..name.end - 1)?, self.text.get(start..end)?))
    }
}

/// The elements of an array's text, one after the other, raw.
pub(crate) struct Elements<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Elements<'a> {
    /// Reads the array that `text` is.
    pub fn new(text: &'a str) -> Elements<'a> {
        Elements { text, at: gap(text.as_bytes(), 0) + 1 }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let mut at = gap(bytes, self.at);
        if bytes.get(at) == Some(&b',') {
            at = gap(bytes, at + 1);
        }
        let end = value(bytes, at, usize::MAX).ok()?;
        self.at = end;
        self.text.get(at..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_serde_json_on_what_is_json() {
        for text in [
            "{}",
            "[]",
            "[1,-0.5e+3,\"a\\u00e9\\n\",null,true,false]",
            "{\"a\":{\"b\":[{}]}}",
            "01",
            "1.",
            "-",
            "1e",
            "\"\u{1}\"",
            "\"\\x\"",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\"}",
            "[}",
            "tru",
            "\"\\ud800\"",
            "{ \"a\" : [ 1 , 2 ] }",
            "nul",
            "\"abcdefgh\\",
            "\"12345678\"",
            "{a:1}",
            "[1 2]",
            "\"\u{7f}é\"",
        ] {
            let ours = value(text.as_bytes(), 0, 100) == Ok(text.len());
            let theirs = serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok();
            assert_eq!(ours, theirs, "{text}");
        }
    }

    #[test]
    fn depth_is_bounded_and_never_recursed() {
        let deep = |n: usize| "[".repeat(n) + "1" + &"]".repeat(n);
        assert_eq!(value(deep(1_000_000).as_bytes(), 0, 1_000_000), Ok(2_000_001));
        let mixed = "{\"a\":[".repeat(100) + "0" + &"]}".repeat(100);
        assert_eq!(value(mixed.as_bytes(), 0, 200), Ok(mixed.len()));
        assert_eq!(
            value(deep(11).as_bytes(), 0, 10),
            Err(Stop::Bad { at: 10, reason: "nested too deeply" })
        );
    }

    #[test]
    fn unescapes_what_text_can_say() {
        let check = |raw: &str, expected: &str, exact: bool| {
            let mut out = String::new();
            assert_eq!((unescape(raw, &mut out), out.as_str()), (exact, expected), "{raw}");
        };
        check(r"a\u003db\/\\\n", "a=b/\\\n", true);
        check(r"\ud83d\ude00!", "😀!", true);
        check(r"\ud800", "\u{fffd}", false);
        check(r"\ud800\u0041", "\u{fffd}A", false);
        check(r"\udc00\ud800x", "\u{fffd}\u{fffd}x", false);
        check(r"\u0000", "\0", true);
    }
}
