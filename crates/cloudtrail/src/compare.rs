//! Whether two records say the same.

use std::collections::HashMap;

use crate::json::{Elements, Members, gap, value};

/// How two records of one identity relate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// Equal bytes.
    Same,
    /// Equal JSON value: key order, white space or escapes differ.
    Respelled,
    /// Another value, or bytes that are no JSON.
    Differs {
        /// Dotted paths of the values that differ, `$` for the record itself; at most 64.
        paths: Vec<String>,
    },
}

const PATHS_MAX: usize = 64;
/// Levels that are taken apart; deeper values are the same only when their bytes are.
const DEPTH_MAX: usize = 64;

/// Returns how two records relate. Numbers are compared exactly, as decimals (`1.0` is `1`, and no
/// digit is lost); members by key, whatever their order, and the values of a repeated key in theirs.
pub fn compare(a: &[u8], b: &[u8]) -> Comparison {
    if a == b {
        return Comparison::Same;
    }
    let mut paths = Vec::new();
    match (text_of(a), text_of(b)) {
        (Some(a), Some(b)) => differences(a, b, "", 0, &mut paths),
        _ => paths.push(String::new()),
    }
    if paths.is_empty() {
        return Comparison::Respelled;
    }
    for path in &mut paths {
        if path.is_empty() {
            path.push('$');
        }
    }
    paths.sort_unstable();
    Comparison::Differs { paths }
}

/// Returns the text of the one JSON value that the bytes are.
fn text_of(bytes: &[u8]) -> Option<&str> {
    let start = gap(bytes, 0);
    let end = value(bytes, start, usize::MAX).ok()?;
    (gap(bytes, end) == bytes.len()).then(|| std::str::from_utf8(&bytes[start..end]).ok())?
}

/// Collects the paths at which two values differ.
fn differences(a: &str, b: &str, path: &str, depth: usize, paths: &mut Vec<String>) {
    if a == b || paths.len() >= PATHS_MAX {
        return;
    }
    let is_same = match (a.as_bytes().first(), b.as_bytes().first()) {
        (Some(b'{'), Some(b'{')) if depth < DEPTH_MAX => {
            return members(a, b, path, depth, paths);
        }
        (Some(b'['), Some(b'[')) if depth < DEPTH_MAX => {
            return elements(a, b, path, depth, paths);
        }
        (Some(b'"'), Some(b'"')) => code_units(a) == code_units(b),
        (Some(b'-' | b'0'..=b'9'), Some(b'-' | b'0'..=b'9')) => match (decimal(a), decimal(b)) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        },
        _ => false,
    };
    if !is_same {
        paths.push(path.to_owned());
    }
}

fn members(a: &str, b: &str, path: &str, depth: usize, paths: &mut Vec<String>) {
    // The n-th value of a key is compared with the n-th of the same key.
    let mut others: HashMap<(Vec<u16>, usize), (&str, &str)> = HashMap::new();
    let mut counts: HashMap<Vec<u16>, usize> = HashMap::new();
    let mut numbered = |key: &str| {
        let key = code_units(key);
        let count = counts.entry(key.clone()).or_default();
        *count += 1;
        (key, *count)
    };
    for (key, value) in Members::new(b) {
        others.insert(numbered(key), (key, value));
    }
    counts.clear();
    let mut numbered = |key: &str| {
        let key = code_units(key);
        let count = counts.entry(key.clone()).or_default();
        *count += 1;
        (key, *count)
    };
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    for (key, value) in Members::new(a) {
        match others.remove(&numbered(key)) {
            Some((_, other)) => differences(value, other, &below(key), depth + 1, paths),
            None => paths.push(below(key)),
        }
    }
    paths.extend(others.into_values().map(|(key, _)| below(key)));
    paths.sort_unstable();
    paths.truncate(PATHS_MAX);
}

fn elements(a: &str, b: &str, path: &str, depth: usize, paths: &mut Vec<String>) {
    let (mut a, mut b) = (Elements::new(a), Elements::new(b));
    for number in 0.. {
        let below = format!("{path}[{number}]");
        match (a.next(), b.next()) {
            (None, None) => return,
            (Some(a), Some(b)) => differences(a, b, &below, depth + 1, paths),
            _ => {
                paths.push(below);
                return;
            }
        }
    }
}

/// Returns what a raw string or key says, as UTF-16: a lone surrogate is not like another.
fn code_units(raw: &str) -> Vec<u16> {
    let mut units = Vec::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        let said = match (c, c == '\\') {
            (c, false) => c,
            (_, true) => match chars.next() {
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    units.push(u16::from_str_radix(&digits, 16).unwrap_or(0xfffd));
                    continue;
                }
                other => other.unwrap_or('\\'),
            },
        };
        units.extend_from_slice(said.encode_utf16(&mut [0; 2]));
    }
    units
}

/// Returns sign, digits without zeros around them, and exponent; nothing for an exponent beyond all
/// use.
fn decimal(text: &str) -> Option<(bool, String, i64)> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, point) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{point}");
    let digits = digits.trim_start_matches('0');
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Some((false, String::new(), 0));
    }
    let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
    let exponent = exponent.checked_sub(i64::try_from(point.len()).ok()?)?.checked_add(zeros)?;
    Some((negative, significant.to_owned(), exponent))
}
