//! The values behind `USING`: literals of SQL, read to be bound. Nothing of them is pasted into the
//! statement that they go with.

use traillake_query::Value;

use super::faults::Fault;
use super::words::{TokenKind, Words};
use crate::literal_types;

/// Nesting of arrays, maps and rows.
const DEPTH_MAX: usize = 16;

/// Reads `value, value, …` up to the end of the statement.
///
/// # Errors
/// What is no literal, with its place.
pub(super) fn list(words: &mut Words<'_>) -> Result<Vec<Value>, Fault> {
    let mut values = vec![value(words, 0)?];
    while words.symbol(',') {
        values.push(value(words, 0)?);
    }
    match words.ended() {
        true => Ok(values),
        false => Err(no_literal(words)),
    }
}

/// Reads one value.
///
/// # Errors
/// What is no literal, with its place.
pub(super) fn one(words: &mut Words<'_>) -> Result<Value, Fault> {
    value(words, 0)
}

fn no_literal(words: &Words<'_>) -> Fault {
    let found = words.peek().map_or("the end", |token| token.text);
    Fault::syntax(format!("a literal is expected, not `{found}`"), words.place())
}

fn value(words: &mut Words<'_>, depth: usize) -> Result<Value, Fault> {
    if depth > DEPTH_MAX {
        return Err(Fault::syntax("the value is nested too deeply", words.place()));
    }
    if words.symbol('-') {
        return negative(words);
    }
    if words.symbol('+') {
        return positive(words);
    }
    let Some(token) = words.peek() else { return Err(no_literal(words)) };
    match token.kind {
        TokenKind::Text => Ok(Value::Text(words.string().unwrap_or_default())),
        TokenKind::Number => positive(words),
        TokenKind::Word => word(words, depth),
        _ => Err(no_literal(words)),
    }
}

fn word(words: &mut Words<'_>, depth: usize) -> Result<Value, Fault> {
    let start = words.clone();
    for (name, value) in
        [("NULL", Value::Null), ("TRUE", Value::Boolean(true)), ("FALSE", Value::Boolean(false))]
    {
        if words.take(&[name]) {
            return Ok(value);
        }
    }
    for (name, number) in [("nan", f64::NAN), ("infinity", f64::INFINITY)] {
        if words.take(&[name]) {
            return call(words, number).ok_or_else(|| no_literal(&start));
        }
    }
    if words.take(&["ARRAY"]) {
        return items(words, ('[', ']'), depth).map(Value::Array);
    }
    if words.take(&["ROW"]) {
        return items(words, ('(', ')'), depth).map(Value::Row);
    }
    if words.take(&["MAP"]) {
        return map(words, depth);
    }
    if words.take(&["CAST"]) {
        return cast(words, depth);
    }
    typed(words).unwrap_or_else(|| Err(no_literal(&start)))
}

/// `nan()`, `infinity()`.
fn call(words: &mut Words<'_>, number: f64) -> Option<Value> {
    (words.symbol('(') && words.symbol(')')).then_some(Value::Double(number))
}

/// `DATE '…'` and its like: the name of a type and a text.
fn typed(words: &mut Words<'_>) -> Option<Result<Value, Fault>> {
    let place = words.place();
    let name = words.name()?;
    if name == "double" {
        words.take(&["PRECISION"]);
    }
    let text = words.string()?;
    let wrong = || Fault::syntax(format!("`{text}` is no {name}"), place);
    let of = |type_name: String| Value::Typed { text: text.clone(), type_name };
    Some(Ok(match name.as_str() {
        "x" => Value::Bytes(match bytes(&text) {
            Some(bytes) => bytes,
            None => return Some(Err(wrong())),
        }),
        "double" => Value::Double(match text.parse() {
            Ok(number) => number,
            Err(_) => return Some(Err(wrong())),
        }),
        "decimal" => match literal_types::decimal(&text) {
            Some(type_name) => of(type_name),
            None => return Some(Err(wrong())),
        },
        "timestamp" => of(literal_types::timestamp(&text)),
        "time" => of(literal_types::time(&text)),
        "date" | "uuid" | "ipaddress" | "json" | "varchar" | "char" | "real" | "bigint"
        | "integer" | "smallint" | "tinyint" | "boolean" => of(name),
        _ => return None,
    }))
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = digits.chunks(2);
    pairs.map(|pair| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8)).collect()
}

/// `[a, b]` or `(a, b)`.
fn items(
    words: &mut Words<'_>,
    (open, close): (char, char),
    depth: usize,
) -> Result<Vec<Value>, Fault> {
    let mut items = Vec::new();
    if !words.symbol(open) {
        return Err(no_literal(words));
    }
    if words.symbol(close) {
        return Ok(items);
    }
    loop {
        items.push(value(words, depth + 1)?);
        if !words.symbol(',') {
            break;
        }
    }
    match words.symbol(close) {
        true => Ok(items),
        false => Err(no_literal(words)),
    }
}

/// `MAP(ARRAY[keys], ARRAY[values])`.
fn map(words: &mut Words<'_>, depth: usize) -> Result<Value, Fault> {
    let place = words.place();
    match <[Value; 2]>::try_from(items(words, ('(', ')'), depth)?) {
        Ok([Value::Array(keys), Value::Array(values)]) if keys.len() == values.len() => {
            Ok(Value::Map(keys.into_iter().zip(values).collect()))
        }
        _ => Err(Fault::syntax("MAP takes an array of keys and one of as many values", place)),
    }
}

/// `CAST('text' AS type)`, `CAST(NULL AS type)`: how some drivers write a value and its type.
fn cast(words: &mut Words<'_>, depth: usize) -> Result<Value, Fault> {
    if !words.symbol('(') {
        return Err(no_literal(words));
    }
    let inner = value(words, depth + 1)?;
    if !words.take(&["AS"]) {
        return Err(no_literal(words));
    }
    let from = words.place();
    let (start, mut open) = (words.clone(), 0_usize);
    while let Some(token) = words.peek() {
        match token {
            token if token.is_symbol('(') => open += 1,
            token if token.is_symbol(')') && open == 0 => break,
            token if token.is_symbol(')') => open -= 1,
            _ => {}
        }
        words.next();
    }
    let length = start.rest().len().saturating_sub(words.rest().len());
    let type_name = start.rest()[..length].trim().to_owned();
    if !words.symbol(')') || type_name.is_empty() {
        return Err(no_literal(words));
    }
    let text = match inner {
        Value::Null => return Ok(Value::Null),
        Value::Text(text) => text,
        Value::Integer(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Typed { text, .. } => text,
        _ => return Err(Fault::syntax("this value cannot be cast here", from)),
    };
    Ok(Value::Typed { text, type_name })
}

fn positive(words: &mut Words<'_>) -> Result<Value, Fault> {
    signed(words, "")
}

fn negative(words: &mut Words<'_>) -> Result<Value, Fault> {
    let start = words.clone();
    if words.take(&["infinity"]) {
        return call(words, f64::NEG_INFINITY).ok_or_else(|| no_literal(&start));
    }
    signed(words, "-")
}

/// An integer is a bigint, `1.5` a decimal and `1e3` a double, as in Trino.
fn signed(words: &mut Words<'_>, sign: &str) -> Result<Value, Fault> {
    let (start, place) = (words.clone(), words.place());
    let number = words.next().filter(|token| token.kind == TokenKind::Number);
    let Some(number) = number else { return Err(no_literal(&start)) };
    let text = format!("{sign}{}", number.text.replace('_', ""));
    let wrong = || Fault::syntax(format!("`{text}` is no number"), place);
    if text.contains(['e', 'E']) {
        return text.parse().map(Value::Double).map_err(|_| wrong());
    }
    match text.parse() {
        Ok(integer) => Ok(Value::Integer(integer)),
        Err(_) => {
            let type_name = literal_types::decimal(&text).ok_or_else(wrong)?;
            Ok(Value::Typed { text, type_name })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Value>, Fault> {
        list(&mut Words::of(text))
    }

    fn typed(text: &str, type_name: &str) -> Value {
        Value::Typed { text: text.to_owned(), type_name: type_name.to_owned() }
    }

    #[test]
    fn literals_are_read_with_their_types() {
        for (text, expected) in [
            ("1", Value::Integer(1)),
            ("-9223372036854775808", Value::Integer(i64::MIN)),
            ("9223372036854775808", typed("9223372036854775808", "decimal(19, 0)")),
            ("1.50", typed("1.50", "decimal(3, 2)")),
            ("DECIMAL '-0.05'", typed("-0.05", "decimal(2, 2)")),
            ("1e3", Value::Double(1e3)),
            ("DOUBLE '2.5'", Value::Double(2.5)),
            ("-infinity()", Value::Double(f64::NEG_INFINITY)),
            ("'it''s ? :x'", Value::Text("it's ? :x".to_owned())),
            ("X'00fF'", Value::Bytes(vec![0, 255])),
            ("DATE '2024-05-01'", typed("2024-05-01", "date")),
            (
                "TIMESTAMP '2024-05-01 10:00:00.123456'",
                typed("2024-05-01 10:00:00.123456", "timestamp(6)"),
            ),
            (
                "TIMESTAMP '2024-05-01 10:00:00 Europe/Berlin'",
                typed("2024-05-01 10:00:00 Europe/Berlin", "timestamp(3) with time zone"),
            ),
            ("true", Value::Boolean(true)),
            ("CAST('7' AS decimal(5, 2))", typed("7", "decimal(5, 2)")),
            ("ARRAY[1, NULL]", Value::Array(vec![Value::Integer(1), Value::Null])),
            (
                "MAP(ARRAY['a'],ARRAY[ROW(1)])",
                Value::Map(vec![(
                    Value::Text("a".to_owned()),
                    Value::Row(vec![Value::Integer(1)]),
                )]),
            ),
        ] {
            assert_eq!(read(text).unwrap(), [expected], "{text}");
        }
        assert_eq!(read("1, 'a';").unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_literal_is_refused_with_its_place() {
        for (text, column) in [
            ("1 + 1", 3),
            ("1, events", 4),
            ("(SELECT 1)", 1),
            ("'open", 1),
            ("", 1),
            ("ARRAY[1", 8),
            ("X'0'", 1),
            ("now()", 1),
            ("DATE", 1),
            ("-x", 2),
        ] {
            let fault = read(text).unwrap_err();
            assert_eq!(
                (fault.name, fault.line, fault.column),
                ("SYNTAX_ERROR", 1, column),
                "{text}"
            );
        }
        assert!(read(&"ARRAY[".repeat(1_000)).is_err());
    }
}
