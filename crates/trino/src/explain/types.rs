//! Arrow's names of types in a message, replaced by Trino's.

/// Names without arguments, longer ones first.
const SIMPLE: &[(&str, &str)] = &[
    ("LargeUtf8", "varchar"),
    ("Utf8View", "varchar"),
    ("Utf8", "varchar"),
    ("LargeBinary", "varbinary"),
    ("BinaryView", "varbinary"),
    ("Binary", "varbinary"),
    ("Float64", "double"),
    ("Float32", "real"),
    ("UInt64", "bigint"),
    ("UInt32", "bigint"),
    ("Int64", "bigint"),
    ("Int32", "integer"),
    ("Int16", "smallint"),
    ("Int8", "tinyint"),
    ("Boolean", "boolean"),
    ("Date32", "date"),
    ("Null", "unknown"),
];

/// Names with arguments in parentheses.
const WITH_ARGUMENTS: &[(&str, &str)] = &[
    ("Timestamp(", "timestamp"),
    ("Time32(", "time"),
    ("Time64(", "time"),
    ("Interval(", "interval"),
    ("Duration(", "interval"),
    ("Decimal128(", "decimal"),
    ("LargeList(", "array"),
    ("FixedSizeList(", "array"),
    ("List(", "array"),
    ("Struct(", "row"),
    ("Map(", "map"),
];

/// Returns `message` with Trino's names of types.
pub(super) fn in_trinos(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    let mut inside_word = false;
    while let Some(first) = rest.chars().next() {
        let nested = WITH_ARGUMENTS.iter().find(|(name, _)| !inside_word && rest.starts_with(name));
        let whole = |name: &str| {
            let after = rest.strip_prefix(name).and_then(|after| after.chars().next());
            rest.starts_with(name) && !after.is_some_and(char::is_alphanumeric)
        };
        let simple = SIMPLE.iter().find(|(name, _)| !inside_word && whole(name));
        if let Some((name, trino)) = nested {
            out.push_str(trino);
            rest = after_parenthesis(&rest[name.len()..]);
        } else if let Some((name, trino)) = simple {
            out.push_str(trino);
            rest = &rest[name.len()..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
        inside_word = first.is_alphanumeric() && nested.is_none() && simple.is_none();
    }
    out
}

/// Returns what follows the parenthesis that is open at the start of `text`.
fn after_parenthesis(text: &str) -> &str {
    let mut depth = 1_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[at + 1..];
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::in_trinos;

    fn check(message: &str, expected: &str) {
        assert_eq!(in_trinos(message), expected);
    }

    #[test]
    fn types_have_trinos_names() {
        check("Utf8View + Int64", "varchar + bigint");
        check("Timestamp(µs, \"UTC\") > Int64", "timestamp > bigint");
        check("Struct(\"a\": Utf8, \"b\": Struct(\"c\": Utf8)) = List(Int64)", "row = array");
        check("a Nullable Int64ish word", "a Nullable Int64ish word");
    }
}
