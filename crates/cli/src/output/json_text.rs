//! JSON text laid out for reading, token by token.
//!
//! Only white space changes: numbers, escapes, the order of keys and repeated keys stay as they
//! are, at any depth.

/// Returns the JSON text with two blanks of indent a level, one member a line.
pub fn pretty_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut chars = json.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => push_string(&mut chars, &mut out),
            '{' | '[' => {
                while chars.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                out.push(c);
                match chars.next_if(|next| matches!(next, '}' | ']')) {
                    Some(close) => out.push(close),
                    None => {
                        depth += 1;
                        new_line(depth, &mut out);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(depth, &mut out);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(depth, &mut out);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

/// Copies the rest of a string, whose opening quote was read.
fn push_string(chars: &mut impl Iterator<Item = char>, out: &mut String) {
    out.push('"');
    while let Some(c) = chars.next() {
        out.push(c);
        match c {
            '"' => return,
            '\\' => out.extend(chars.next()),
            _ => {}
        }
    }
}

fn new_line(depth: usize, out: &mut String) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::pretty_json;

    #[test]
    fn only_white_space_changes() {
        let json = "{\"a\" :1376.0,\"a\":[ ],\"b\":[{\"c\":\"x\\\"{,:\"},1e5],\n\"d\":{}}";
        let expected = "{\n  \"a\": 1376.0,\n  \"a\": [],\n  \"b\": [\n    {\n      \"c\": \
                        \"x\\\"{,:\"\n    },\n    1e5\n  ],\n  \"d\": {}\n}";
        assert_eq!(pretty_json(json), expected);
    }
}
