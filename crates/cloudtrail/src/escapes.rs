//! How a writer of JSON spells the characters of a string.

use crate::json::plain_run;

/// Takes bytes in order.
pub(crate) trait Sink {
    /// Takes the next bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Compares what it takes with what it expects.
pub(crate) struct Matcher<'a> {
    rest: &'a [u8],
    same: bool,
}

impl<'a> Matcher<'a> {
    /// Expects these bytes.
    pub fn new(expected: &'a [u8]) -> Matcher<'a> {
        Matcher { rest: expected, same: true }
    }

    /// Returns whether exactly the expected bytes came.
    pub fn is_same(&self) -> bool {
        self.same && self.rest.is_empty()
    }
}

impl Sink for Matcher<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        match self.rest.split_at_checked(bytes.len()) {
            Some((head, rest)) if head == bytes => self.rest = rest,
            _ => self.same = false,
        }
    }
}

/// Which characters are escaped beyond those that JSON demands.
///
/// Those are `"`, `\` and the control characters: in short form (`\n`) where there is one, else
/// as `\u00` and two digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Escapes {
    /// `<`, `>`, `&`, U+2028 and U+2029, as Go's encoding/json does.
    tags: bool,
    /// `=` and `'` too, as Gson does.
    signs: bool,
    /// `/` as `\/`, as PHP does.
    slash: bool,
    /// All beyond ASCII, as Python does.
    ascii: bool,
    /// Hexadecimal digits in upper case, as .NET writes them.
    upper: bool,
}

impl Escapes {
    /// Only what JSON demands.
    pub const PLAIN: Escapes =
        Escapes { tags: false, signs: false, slash: false, ascii: false, upper: false };

    /// Returns the style that the text between two quotes seems to be written in.
    pub fn infer(raw: &str) -> Escapes {
        let mut escapes = Escapes::PLAIN;
        let bytes = raw.as_bytes();
        let mut at = 0;
        while let Some(found) = memchr::memchr(b'\\', &bytes[at..]) {
            at += found + 2;
            match bytes.get(at - 1) {
                Some(b'/') => escapes.slash = true,
                Some(b'u') => {
                    let digits = raw.get(at..at + 4).unwrap_or_default();
                    escapes.upper |= digits.bytes().any(|digit| digit.is_ascii_uppercase());
                    match u32::from_str_radix(digits, 16) {
                        Ok(0x26 | 0x3c | 0x3e) => escapes.tags = true,
                        Ok(0x27 | 0x3d) => (escapes.tags, escapes.signs) = (true, true),
                        Ok(0x80..) => escapes.ascii = true,
                        _ => {}
                    }
                    at += 4;
                }
                _ => {}
            }
            at = at.min(bytes.len());
        }
        // A `<` beside no `=` says the same in both styles: the first is taken.
        if escapes.tags && !escapes.signs && !raw.contains(['=', '\'']) {
            escapes.signs = true;
        }
        escapes
    }

    /// Appends the letters that say so in a shape.
    pub fn write_mark(self, out: &mut String) {
        let letters = [
            (self.tags && self.signs, 'h'),
            (self.tags && !self.signs, 'g'),
            (self.slash, 's'),
            (self.ascii, 'a'),
            (self.upper, 'u'),
        ];
        out.extend(letters.iter().filter(|(set, _)| *set).map(|(_, letter)| *letter));
    }

    /// Returns the style that the letters say.
    pub fn of_mark(letters: &str) -> Option<Escapes> {
        let mut escapes = Escapes::PLAIN;
        for letter in letters.chars() {
            match letter {
                'h' => (escapes.tags, escapes.signs) = (true, true),
                'g' => escapes.tags = true,
                's' => escapes.slash = true,
                'a' => escapes.ascii = true,
                'u' => escapes.upper = true,
                _ => return None,
            }
        }
        Some(escapes)
    }

    /// Writes what stands between the quotes for `text`.
    #[inline]
    pub fn write<S: Sink>(self, text: &str, out: &mut S) {
        if self == Escapes::PLAIN { write_plain(text, out) } else { self.write_styled(text, out) }
    }

    fn write_styled<S: Sink>(self, text: &str, out: &mut S) {
        let mut buffer = [0; 4];
        for c in text.chars() {
            match c {
                '<' | '>' | '&' if self.tags => self.write_unit(c as u16, out),
                '=' | '\'' if self.signs => self.write_unit(c as u16, out),
                '\u{2028}' | '\u{2029}' if self.tags => self.write_unit(c as u32 as u16, out),
                '/' if self.slash => out.put(b"\\/"),
                '\u{80}'.. if self.ascii => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        self.write_unit(*unit, out);
                    }
                }
                '\0'..='\u{1f}' | '"' | '\\' => write_demanded(c as u8, self.upper, out),
                _ => out.put(c.encode_utf8(&mut buffer).as_bytes()),
            }
        }
    }

    fn write_unit<S: Sink>(self, unit: u16, out: &mut S) {
        let digits = if self.upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
        let digit = |shift: u16| digits[usize::from(unit >> shift & 15)];
        out.put(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
    }
}

fn write_plain<S: Sink>(text: &str, out: &mut S) {
    let bytes = text.as_bytes();
    let mut start = 0;
    loop {
        let at = plain_run(bytes, start);
        if at > start {
            out.put(&bytes[start..at]);
        }
        let Some(demanded) = bytes.get(at) else { return };
        write_demanded(*demanded, false, out);
        start = at + 1;
    }
}

fn write_demanded<S: Sink>(byte: u8, upper: bool, out: &mut S) {
    match byte {
        b'"' => out.put(b"\\\""),
        b'\\' => out.put(b"\\\\"),
        8 => out.put(b"\\b"),
        b'\t' => out.put(b"\\t"),
        b'\n' => out.put(b"\\n"),
        12 => out.put(b"\\f"),
        b'\r' => out.put(b"\\r"),
        _ => Escapes { upper, ..Escapes::PLAIN }.write_unit(u16::from(byte), out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::unescape;

    #[test]
    fn styles_seen_in_the_world_come_back() {
        let check = |raw: &str, mark: &str, same: bool| {
            let (escapes, mut text, mut again) =
                (Escapes::infer(raw), String::new(), String::new());
            unescape(raw, &mut text);
            escapes.write_mark(&mut again);
            assert_eq!(again, mark, "{raw}");
            assert_eq!(Escapes::of_mark(mark), Some(escapes));
            let mut out = Vec::new();
            escapes.write(&text, &mut out);
            assert_eq!(out == raw.as_bytes(), same, "{raw}");
        };
        check(r#"a\"b\\c\n\u0000\u001f é"#, "", true);
        check(r"a\u003db\u0026c", "h", true);
        check(r"a\u0026b", "h", true);
        check(r"a=b\u0026c\u003c", "g", true);
        check(r"a\/b", "s", true);
        check(r"a\u202fb \ud83d\ude00", "a", true);
        check(r"a\u00E9\u003C", "hau", true);
        check(r"\u000a", "", false);
        check(r"\u0041", "", false);
        check(r"\ud800", "a", false);
        check(r"a/b\/", "s", false);
    }
}
