//! Every function of docs/sql-functions.md stands in a .slt record, with NULL, and with a value of a
//! wrong type.

use std::collections::BTreeSet;

use datafusion::execution::FunctionRegistry;
use sqllogictest::{DefaultColumnType, Record, StatementExpect};

use crate::support::Session;

/// Functions that stand in no record here, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("mentions", "needs a table of records: testdata/queries/lake"),
    ("mentions_any", "needs a table of records: testdata/queries/lake"),
    ("mentioned", "needs a table of records: testdata/queries/lake"),
];

/// Functions that cannot be given NULL: they have no arguments, or one that must be a constant.
const WITHOUT_NULL: &[(&str, &str)] = &[
    ("current_date", "no arguments"),
    ("current_timestamp", "no arguments"),
    ("current_timezone", "no arguments"),
    ("current_user", "no arguments"),
    ("e", "no arguments"),
    ("grouping", "takes columns of GROUP BY"),
    ("infinity", "no arguments"),
    ("localtime", "no arguments"),
    ("localtimestamp", "no arguments"),
    ("nan", "no arguments"),
    ("now", "no arguments"),
    ("pi", "no arguments"),
    ("uuid", "no arguments"),
];

/// Functions that no type is wrong for, and why.
const OF_ANY_TYPE: &[(&str, &str)] = &[
    ("any_value", "any value"),
    ("approx_distinct", "any value"),
    ("approx_most_frequent", "any value"),
    ("arbitrary", "any value"),
    ("array_agg", "any value"),
    ("checksum", "any value"),
    ("coalesce", "any value; numbers beside text become text here"),
    ("count", "any value"),
    ("cume_dist", "no arguments"),
    ("current_date", "no arguments"),
    ("current_timestamp", "no arguments"),
    ("current_timezone", "no arguments"),
    ("current_user", "no arguments"),
    ("dense_rank", "no arguments"),
    ("e", "no arguments"),
    ("first_value", "any value"),
    ("histogram", "any value"),
    ("infinity", "no arguments"),
    ("json_array", "any value"),
    ("last_value", "any value"),
    ("listagg", "any value here, as text; Trino takes varchar only"),
    ("localtime", "no arguments"),
    ("localtimestamp", "no arguments"),
    ("map_agg", "any value"),
    ("max", "any value"),
    ("max_by", "any value"),
    ("min", "any value"),
    ("min_by", "any value"),
    ("multimap_agg", "any value"),
    ("nan", "no arguments"),
    ("now", "no arguments"),
    ("nullif", "any value; what does not equal the first gives the first"),
    ("percent_rank", "no arguments"),
    ("pi", "no arguments"),
    ("rank", "no arguments"),
    ("row_number", "no arguments"),
    ("translate", "any value here, as text; Trino takes varchar only"),
    ("try", "any value"),
    ("typeof", "any value"),
    ("uuid", "no arguments"),
];

/// Aggregates that a rewrite turns into others; of an aggregate the NULLs stand in its rows.
const AGGREGATES: &[&str] = &[
    "any_value",
    "approx_most_frequent",
    "approx_percentile",
    "arbitrary",
    "bitwise_and_agg",
    "bitwise_or_agg",
    "bitwise_xor_agg",
    "count_if",
    "every",
    "geometric_mean",
    "histogram",
    "listagg",
    "map_agg",
    "map_union",
    "max_by",
    "min_by",
    "multimap_agg",
    "numeric_histogram",
    "reduce_agg",
    "variance",
];

/// A statement of a .slt file.
struct Statement {
    file: String,
    sql: String,
    fails: bool,
}

fn statements() -> Vec<Statement> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/queries/trino");
    let mut statements = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        for record in sqllogictest::parse_file::<DefaultColumnType>(&path).unwrap() {
            let (sql, fails) = match record {
                Record::Query { sql, .. } => (sql, false),
                Record::Statement { sql, expected: StatementExpect::Error(_), .. } => (sql, true),
                _ => continue,
            };
            statements.push(Statement { file: file.clone(), sql: unquoted(&sql), fails });
        }
    }
    assert!(statements.len() > 500, "{} statements", statements.len());
    statements
}

/// The statement in lower case, its texts left out.
fn unquoted(sql: &str) -> String {
    sql.split('\'').step_by(2).collect::<Vec<_>>().join("''").to_lowercase()
}

/// The arguments of every call of a function; nothing for a name that needs no parentheses.
fn calls<'a>(sql: &'a str, name: &str) -> Vec<&'a str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, _) in sql.match_indices(name) {
        let rest = &sql[at + name.len()..];
        if sql[..at].ends_with(is_word) || rest.starts_with(is_word) {
            continue;
        }
        let mut depth = 0_usize;
        let end = rest.char_indices().find(|(_, c)| {
            depth = match c {
                '(' => depth + 1,
                ')' => depth.saturating_sub(1),
                _ => depth,
            };
            depth == 0
        });
        let arguments = end.map_or("", |(end, _)| &rest[..end]);
        match (arguments.is_empty(), name) {
            (false, _) => found.push(arguments),
            (true, "current_date" | "current_timestamp" | "current_user") => found.push(""),
            (true, "localtime" | "localtimestamp") => found.push(""),
            _ => {}
        }
    }
    found
}

/// The names of the page, but for those that are absent, and all further names of functions.
fn supported() -> BTreeSet<String> {
    let page = traillake_trino::functions::reference();
    let (page, _) = page.split_once("## Absent").unwrap();
    let (tables, different) = page.split_once("## DataFusion's own").unwrap();
    let (shared, different) = different.split_once("## Different").unwrap();
    let mut names: BTreeSet<String> = traillake_trino::functions::names().collect();
    for row in tables.lines().filter_map(|line| line.strip_prefix("| `")) {
        names.extend(row.split(['(', '`']).next().map(str::to_owned));
    }
    for row in different.lines().filter_map(|line| line.strip_prefix("| `")) {
        let cell = row.split('`').next().unwrap();
        let is_name = |name: &&str| name.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_'));
        names.extend(cell.split(", ").filter(is_name).map(str::to_owned));
    }
    names.extend(shared.split('`').skip(1).step_by(2).map(str::to_owned));
    names.remove("literals");
    names
}

#[tokio::test]
async fn every_function_stands_in_records_with_null_and_with_a_wrong_type() {
    let statements = statements();
    let session = Session::new().await;
    let state = session.context.state();
    let over_rows = |name: &str| {
        AGGREGATES.contains(&name) || state.udaf(name).is_ok() || state.udwf(name).is_ok()
    };
    let listed = |list: &[(&str, &str)], name: &str| list.iter().any(|(known, _)| *known == name);
    let has_null = |text: &str| text.split(|c: char| !c.is_alphanumeric()).any(|w| w == "null");
    let (mut nowhere, mut without_null, mut no_wrong_type) = (Vec::new(), Vec::new(), Vec::new());
    let names = supported();
    assert!(names.len() > 230, "{} functions", names.len());
    for name in names.iter().filter(|name| !listed(ELSEWHERE, name)) {
        let answered = statements.iter().filter(|statement| !statement.fails);
        let (mut answers, mut nulls) = (0, 0);
        for statement in answered {
            let calls = calls(&statement.sql, name);
            answers += calls.len();
            nulls += match over_rows(name) {
                true => usize::from(!calls.is_empty() && has_null(&statement.sql)),
                false => calls.iter().filter(|arguments| has_null(arguments)).count(),
            };
        }
        let refused = statements.iter().any(|statement| {
            statement.file == "wrong_types.slt" && !calls(&statement.sql, name).is_empty()
        });
        nowhere.extend((answers == 0).then_some(name));
        without_null.extend((nulls == 0 && !listed(WITHOUT_NULL, name)).then_some(name));
        no_wrong_type.extend((!refused && !listed(OF_ANY_TYPE, name)).then_some(name));
    }
    assert!(nowhere.is_empty(), "in no record: {nowhere:?}");
    assert!(without_null.is_empty(), "never given NULL: {without_null:?}");
    assert!(no_wrong_type.is_empty(), "no value of a wrong type: {no_wrong_type:?}");
}

#[test]
fn the_lists_of_exceptions_name_functions() {
    let names = supported();
    for (name, _) in ELSEWHERE.iter().chain(WITHOUT_NULL).chain(OF_ANY_TYPE) {
        assert!(names.contains(*name), "`{name}` is not a function");
    }
}
