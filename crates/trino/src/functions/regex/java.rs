//! Java's patterns as Rust's engine reads them, for the same matches.
//!
//! Rust's engine takes time linear in the text, and therefore knows no look-around,
//! back-references, possessive quantifiers and atomic groups: they are errors that name them. The
//! rest differs in spelling only, but for two things: `$` matches at the very end, not before a
//! last newline too, and `\Z` takes that newline into the match.

/// Horizontal and vertical white space, as the inside of a class.
const HORIZONTAL: &str = r" \t\u{a0}\u{1680}\u{180e}\u{2000}-\u{200a}\u{202f}\u{205f}\u{3000}";
const VERTICAL: &str = r"\n\x0B\f\r\u{85}\u{2028}\u{2029}";

/// Returns the pattern for Rust's engine.
///
/// # Errors
/// The construct that it has not, in words.
pub(super) fn to_rust(pattern: &str) -> Result<String, String> {
    let mut writer =
        Writer { rest: pattern, out: String::with_capacity(pattern.len() + 16), classes: 0 };
    while let Some(c) = writer.rest.chars().next() {
        match (c, writer.classes > 0) {
            ('\\', _) => writer.escape()?,
            (_, true) => writer.in_class(c),
            (_, false) => writer.outside(c)?,
        }
    }
    Ok(writer.out)
}

struct Writer<'a> {
    rest: &'a str,
    out: String,
    /// How many classes are open.
    classes: usize,
}

impl Writer<'_> {
    fn take(&mut self, length: usize) {
        self.out.push_str(&self.rest[..length]);
        self.rest = &self.rest[length..];
    }

    fn put(&mut self, text: &str, length: usize) {
        self.out.push_str(text);
        self.rest = &self.rest[length..];
    }

    fn open_class(&mut self) {
        self.classes += 1;
        self.take(1);
        if self.rest.starts_with('^') {
            self.take(1);
        }
        // A closing bracket or a hyphen that comes first stands for itself.
        match self.rest.as_bytes().first() {
            Some(b']') => self.put(r"\]", 1),
            Some(b'-') => self.put(r"\-", 1),
            _ => {}
        }
    }

    fn in_class(&mut self, c: char) {
        match c {
            '[' if self.rest.starts_with("[:") => self.take(2),
            '[' => self.open_class(),
            ']' => {
                self.classes -= 1;
                self.take(1);
            }
            // Rust's `--` and `~~` are operators on classes; Java's are a range and two signs.
            '-' if self.rest.starts_with("--") => self.put(r"-\-", 2),
            '~' => self.put(r"\~", 1),
            c => self.take(c.len_utf8()),
        }
    }

    fn outside(&mut self, c: char) -> Result<(), String> {
        match c {
            '[' => self.open_class(),
            '(' => self.group()?,
            '*' | '+' | '?' => self.quantifier(1)?,
            '{' => match interval(self.rest) {
                Some(length) if !self.out.is_empty() => self.quantifier(length)?,
                // As in Trino, a brace that counts nothing stands for itself.
                _ => self.put(r"\{", 1),
            },
            c => self.take(c.len_utf8()),
        }
        Ok(())
    }

    /// A quantifier, and what makes it lazy or possessive.
    fn quantifier(&mut self, length: usize) -> Result<(), String> {
        self.take(length);
        if self.rest.starts_with('+') {
            return Err("a possessive quantifier".to_owned());
        }
        if self.rest.starts_with('?') {
            self.take(1);
        }
        Ok(())
    }

    fn group(&mut self) -> Result<(), String> {
        let Some(kind) = self.rest.strip_prefix("(?") else {
            self.take(1);
            return Ok(());
        };
        match kind.as_bytes() {
            [b'=' | b'!', ..] => Err("look-ahead".to_owned()),
            [b'<', b'=' | b'!', ..] => Err("look-behind".to_owned()),
            [b'>', ..] => Err("an atomic group".to_owned()),
            [b':', ..] => {
                self.take(3);
                Ok(())
            }
            [b'<', ..] => {
                let end = self.rest.find('>').map_or(self.rest.len(), |at| at + 1);
                self.take(end);
                Ok(())
            }
            _ => {
                let end = kind.find([')', ':']).unwrap_or(kind.len());
                if let Some(flag) = kind[..end].chars().find(|flag| !"imsx-".contains(*flag)) {
                    return Err(format!("the flag `{flag}`"));
                }
                self.take(2 + end);
                Ok(())
            }
        }
    }

    fn escape(&mut self) -> Result<(), String> {
        let Some(code) = self.rest[1..].chars().next() else {
            self.take(1);
            return Ok(());
        };
        let inside = self.classes > 0;
        let class = |members: &str, negated: bool| match (inside, negated) {
            (true, false) => members.to_owned(),
            (_, true) => format!("[^{members}]"),
            (false, false) => format!("[{members}]"),
        };
        let written = match code {
            'Q' | 'E' if inside => code.to_string(),
            'Q' => {
                let quoted = &self.rest[2..];
                let (literal, _) = quoted.split_once("\\E").unwrap_or((quoted, ""));
                let end = 2 + literal.len() + if quoted.len() > literal.len() { 2 } else { 0 };
                self.put(&regex::escape(literal), end);
                return Ok(());
            }
            'E' => String::new(),
            '0' => {
                let octal = &self.rest[2..];
                let end = octal.bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
                let code = u32::from_str_radix(&octal[..end], 8).unwrap_or(0);
                self.put(&format!("\\x{{{code:x}}}"), 2 + end);
                return Ok(());
            }
            '1'..='9' if !inside => return Err("a back-reference".to_owned()),
            'k' if !inside => return Err("a back-reference".to_owned()),
            'G' | 'X' | 'N' => return Err(format!("`\\{code}`")),
            'p' | 'P' => return self.property(code == 'P'),
            'c' => {
                let control = self.rest[2..].chars().next().ok_or("`\\c` without a letter")?;
                let code = u32::from(control.to_ascii_uppercase()) ^ 64;
                self.put(&format!("\\x{{{code:x}}}"), 2 + control.len_utf8());
                return Ok(());
            }
            'd' => class("0-9", false),
            'D' => class("0-9", true),
            'w' => class("0-9A-Za-z_", false),
            'W' => class("0-9A-Za-z_", true),
            's' => class(r" \t\n\x0B\f\r", false),
            'S' => class(r" \t\n\x0B\f\r", true),
            'h' => class(HORIZONTAL, false),
            'H' => class(HORIZONTAL, true),
            'v' => class(VERTICAL, false),
            'V' => class(VERTICAL, true),
            'R' => format!(r"(?:\r\n|[{VERTICAL}])"),
            'Z' => r"(?:\n?\z)".to_owned(),
            'e' => r"\x1b".to_owned(),
            // A backslash before any other sign makes it stand for itself.
            c if !c.is_alphanumeric() => regex::escape(&c.to_string()),
            c => format!("\\{c}"),
        };
        self.put(&written, 1 + code.len_utf8());
        Ok(())
    }

    /// `\p{…}`: Java's names of ASCII classes, categories, scripts and binary properties.
    fn property(&mut self, negated: bool) -> Result<(), String> {
        let Some(name) = self.rest[2..].strip_prefix('{') else {
            let length = self.rest[2..].chars().next().map_or(0, char::len_utf8);
            self.take(2 + length);
            return Ok(());
        };
        let (name, _) = name.split_once('}').ok_or("`\\p{` without a closing brace")?;
        let length = name.len() + 4;
        let (name, negated) = match name.strip_prefix('^') {
            Some(name) => (name, !negated),
            None => (name, negated),
        };
        if name.starts_with("In")
            && !matches!(name, "Inherited" | "InscriptionalPahlavi" | "InscriptionalParthian")
        {
            return Err(format!("the Unicode block `{name}`"));
        }
        if name.starts_with("java") {
            return Err(format!("the class `{name}`"));
        }
        let lower = name.to_ascii_lowercase();
        let ascii = [
            "lower", "upper", "ascii", "alpha", "digit", "alnum", "punct", "graph", "print",
            "blank", "cntrl", "xdigit", "space",
        ];
        let written = match ascii.contains(&lower.as_str()) {
            true if negated => format!("[[:^{lower}:]]"),
            true => format!("[[:{lower}:]]"),
            false => {
                let letter = if negated { 'P' } else { 'p' };
                format!("\\{letter}{{{}}}", name.strip_prefix("Is").unwrap_or(name))
            }
        };
        self.put(&written, length);
        Ok(())
    }
}

/// Returns the length of `{n}`, `{n,}` or `{n,m}`.
fn interval(text: &str) -> Option<usize> {
    let (inside, _) = text.strip_prefix('{')?.split_once('}')?;
    let (low, high) = inside.split_once(',').unwrap_or((inside, ""));
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (!low.is_empty() && number(low) && number(high)).then_some(inside.len() + 2)
}
