//! What does Athena call the types? Two ways: results have Trino's names without their parts, with
//! a precision and a scale; tables have Hive's names.

use serde_json::{Value, json};

/// Returns the `ColumnInfo` of a column of a result, from its name and Trino's name of its type.
/// The numbers are those that Athena tells.
pub(super) fn column_info(name: &str, trino: &str) -> Value {
    let (base, parts) = split(trino);
    let with_zone = trino.ends_with("with time zone");
    let numbers: Vec<u32> = parts.split(',').filter_map(|part| part.trim().parse().ok()).collect();
    let first = numbers.first().copied();
    let (name_of_type, precision, scale) = match base {
        "real" => ("float".to_owned(), 17, 0),
        "double" => ("double".to_owned(), 17, 0),
        "decimal" => (base.to_owned(), first.unwrap_or(38), numbers.get(1).copied().unwrap_or(0)),
        "varchar" | "char" => (base.to_owned(), first.unwrap_or(i32::MAX as u32), 0),
        "tinyint" => (base.to_owned(), 3, 0),
        "smallint" => (base.to_owned(), 5, 0),
        "integer" => (base.to_owned(), 10, 0),
        "bigint" => (base.to_owned(), 19, 0),
        "varbinary" => (base.to_owned(), 1_073_741_824, 0),
        "timestamp" | "time" if with_zone => (format!("{base} with time zone"), 3, 0),
        "timestamp" | "time" => (base.to_owned(), 3, 0),
        "array" | "map" | "row" => (base.to_owned(), 0, 0),
        _ => (trino.to_owned(), 0, 0),
    };
    json!({
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": name_of_type,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": matches!(base, "varchar" | "char"),
    })
}

/// Returns Hive's name of a type, from Trino's: `struct<arn:string,tags:map<string,string>>`.
pub(super) fn hive_type(trino: &str) -> String {
    let (base, parts) = split(trino);
    match base {
        "varchar" if parts.is_empty() => "string".to_owned(),
        "varchar" | "char" | "decimal" => format!("{base}({})", parts.replace(' ', "")),
        "integer" => "int".to_owned(),
        "real" => "float".to_owned(),
        "varbinary" => "binary".to_owned(),
        "timestamp" => "timestamp".to_owned(),
        "boolean" | "tinyint" | "smallint" | "bigint" | "double" | "date" => base.to_owned(),
        "array" => format!("array<{}>", hive_type(parts)),
        "map" => {
            let parts: Vec<String> = arguments(parts).into_iter().map(hive_type).collect();
            format!("map<{}>", parts.join(","))
        }
        "row" => {
            let fields: Vec<String> = arguments(parts).into_iter().map(hive_field).collect();
            format!("struct<{}>", fields.join(","))
        }
        // Hive has no such type; what it holds has a text.
        _ => "string".to_owned(),
    }
}

/// `name type`, or `"a name" type`.
fn hive_field(field: &str) -> String {
    let (name, trino) = match field.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
        Some((name, trino)) => (name, trino),
        None => field.split_once(' ').unwrap_or((field, "varchar")),
    };
    format!("{}:{}", name.to_lowercase(), hive_type(trino.trim()))
}

/// `base(parts) rest` as `base` and `parts`.
fn split(trino: &str) -> (&str, &str) {
    match (trino.find('('), trino.rfind(')')) {
        (Some(open), Some(close)) if open < close => (&trino[..open], &trino[open + 1..close]),
        _ => (trino.split_once(" with time zone").map_or(trino, |(base, _)| base), ""),
    }
}

/// The parts between commas that stand in no parentheses and no quotes.
fn arguments(parts: &str) -> Vec<&str> {
    let (mut depth, mut quoted, mut begin) = (0_usize, false, 0);
    let mut found = Vec::new();
    for (at, c) in parts.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                found.push(parts[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    found.push(parts[begin..].trim());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_hives_types() {
        for (trino, hive) in [
            ("varchar", "string"),
            ("varchar(20)", "varchar(20)"),
            ("integer", "int"),
            ("real", "float"),
            ("decimal(10, 2)", "decimal(10,2)"),
            ("timestamp(6)", "timestamp"),
            ("timestamp(3) with time zone", "timestamp"),
            ("map(varchar, varchar)", "map<string,string>"),
            (
                "array(row(accountId varchar, type varchar))",
                "array<struct<accountid:string,type:string>>",
            ),
            (
                "row(\"a, b\" map(varchar, array(bigint)), c decimal(3, 1))",
                "struct<a, b:map<string,array<bigint>>,c:decimal(3,1)>",
            ),
            ("json", "string"),
            ("time(3)", "string"),
        ] {
            assert_eq!(hive_type(trino), hive, "{trino}");
        }
    }

    #[test]
    fn results_have_athenas_types() {
        for (trino, name, precision, scale) in [
            ("varchar", "varchar", 2_147_483_647_u32, 0),
            ("char(3)", "char", 3, 0),
            ("real", "float", 17, 0),
            ("bigint", "bigint", 19, 0),
            ("decimal(10, 2)", "decimal", 10, 2),
            ("timestamp(6)", "timestamp", 3, 0),
            ("timestamp(3) with time zone", "timestamp with time zone", 3, 0),
            ("array(decimal(10, 2))", "array", 0, 0),
            ("row(a timestamp(3) with time zone)", "row", 0, 0),
            ("unknown", "unknown", 0, 0),
            ("json", "json", 0, 0),
        ] {
            let info = column_info("c", trino);
            assert_eq!(
                (&info["Type"], &info["Precision"], &info["Scale"]),
                (&json!(name), &json!(precision), &json!(scale)),
                "{trino}"
            );
        }
    }
}
