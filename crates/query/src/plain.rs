//! The engine's messages in plain words: without its prefixes, with Trino's type names.

/// Words that stand before a message and say nothing about the statement.
const PREFIXES: &[&str] = &[
    "internal error: ",
    "arrow error: ",
    "error during planning: ",
    "execution error: ",
    "schema error: ",
    "cast error: ",
    "compute error: ",
    "invalid argument error: ",
    "type_coercion",
    "caused by",
];

/// Arrow's names of types, longer ones first, and Trino's.
const TYPES: &[(&str, &str)] = &[
    ("Timestamp(Microsecond, None)", "timestamp"),
    ("Timestamp(µs)", "timestamp"),
    ("Timestamp(ns)", "timestamp"),
    ("Timestamp(ms)", "timestamp"),
    ("LargeUtf8", "varchar"),
    ("Utf8View", "varchar"),
    ("Utf8", "varchar"),
    ("LargeBinary", "varbinary"),
    ("BinaryView", "varbinary"),
    ("Binary", "varbinary"),
    ("Float64", "double"),
    ("Float32", "real"),
    ("UInt64", "bigint"),
    ("Int64", "bigint"),
    ("Int32", "integer"),
    ("Int16", "smallint"),
    ("Int8", "tinyint"),
    ("Boolean", "boolean"),
    ("Date32", "date"),
];

/// Returns `message` as it would be said to somebody who knows SQL and not the engine.
pub(crate) fn plain(message: &str) -> String {
    let mut text = message.trim();
    while let Some(prefix) = PREFIXES.iter().find(|prefix| starts_with(text, prefix)) {
        text = text[prefix.len()..].trim_start();
    }
    if starts_with(text, "divide by zero") {
        return "division by zero".to_string();
    }
    if let Some(function) = refused_function(text) {
        return format!("`{function}` does not take values of these types");
    }
    let text = text.split("This was likely caused by a bug").next().unwrap_or(text).trim_end();
    let named =
        TYPES.iter().fold(text.to_string(), |text, (arrow, trino)| text.replace(arrow, trino));
    let named = named.replace("Cannot cast string ", "cannot cast ").replace(" value of ", " ");
    named.trim_end_matches(" type").trim_end_matches('.').to_string()
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The function of "Function 'sum' failed to match any signature …" and its like.
fn refused_function(text: &str) -> Option<&str> {
    let signature = text.contains("signature") || text.contains("No function matches");
    let rest = &text[text.find("unction '").or_else(|| text.find("unction call '"))?..];
    let name = rest.split('\'').nth(1)?.split('(').next()?;
    signature.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::plain;

    fn check(message: &str, expected: &str) {
        assert_eq!(plain(message), expected);
    }

    #[test]
    fn messages_lose_what_only_the_engine_knows() {
        check("arrow error: Divide by zero error", "division by zero");
        check(
            "internal error: Function 'sum' failed to match any signature, errors: Error during …",
            "`sum` does not take values of these types",
        );
        check(
            "arrow error: Cast error: Cannot cast string 'x' to value of Int64 type",
            "cannot cast 'x' to bigint",
        );
        check(
            "cannot coerce arithmetic expression Utf8View + Int64 to valid types",
            "cannot coerce arithmetic expression varchar + bigint to valid types",
        );
        check("there is no table `events2`", "there is no table `events2`");
    }
}
