//! Text that others chose, made safe to print on a terminal.
//!
//! A user agent or a session name may hold control sequences that recolour, overwrite or reorder
//! what a reader sees. Whatever people look at goes through here; a pipe gets the raw text.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns true for a character that a terminal may act on instead of showing it: control
/// characters (C0, DEL, C1), line and paragraph separators, marks and overrides of writing
/// direction (Unicode UAX #9), and invisible characters without a use in running text.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Returns `text` on one line with every unsafe character spelled out: `\n`, `\t`, `\r`, else
/// `\u001b` (above U+FFFF `\u{e0001}`).
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    text.chars().for_each(|c| push_visible(c, &mut shown));
    Cow::Owned(shown)
}

/// Returns `text` with unsafe characters spelled out, save that it keeps its lines.
pub fn visible_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(visible).collect();
    lines.join("\n")
}

/// Returns JSON text with unsafe characters inside it written as JSON escapes: the same value in
/// another spelling. White space between tokens stays.
pub fn visible_json(json: &str) -> Cow<'_, str> {
    let spells = |c: char| is_unsafe(c) && !matches!(c, '\n' | '\r' | '\t');
    if !json.chars().any(spells) {
        return Cow::Borrowed(json);
    }
    let mut shown = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if spells(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

fn push_visible(c: char, shown: &mut String) {
    let _ = match c {
        '\n' => shown.write_str("\\n"),
        '\t' => shown.write_str("\\t"),
        '\r' => shown.write_str("\\r"),
        c if is_unsafe(c) && (c as u32) < 0x1_0000 => write!(shown, "\\u{:04x}", c as u32),
        c if is_unsafe(c) => write!(shown, "\\u{{{:x}}}", c as u32),
        c => shown.write_char(c),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_spelled_out() {
        assert_eq!(visible("plain ☃ text"), "plain ☃ text");
        assert_eq!(visible("a\u{1b}[31mred\n\u{9b}2J"), "a\\u001b[31mred\\n\\u009b2J");
        assert_eq!(visible("user\u{202e}nimda"), "user\\u202enimda");
        assert_eq!(visible("\u{e0041}"), "\\u{e0041}");
        assert_eq!(visible_lines("one\ntwo\u{7}"), "one\ntwo\\u0007");
    }

    #[test]
    fn json_keeps_its_value() {
        let json = "{\n \"a\": \"x\u{202e}\u{e0041}\"}";
        let shown = visible_json(json);
        assert_eq!(shown, "{\n \"a\": \"x\\u202e\\udb40\\udc41\"}");
        let values = (serde_json::from_str::<serde_json::Value>(json).ok())
            .zip(serde_json::from_str::<serde_json::Value>(&shown).ok());
        assert!(values.is_some_and(|(a, b)| a == b));
    }
}
