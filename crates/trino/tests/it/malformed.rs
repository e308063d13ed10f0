//! Two hundred malformed and type-wrong statements: every message is ours, with a place or a hint
//! where one can be given, and none speaks of plans, engines or their types.

use std::fmt::Write;

use crate::support::Session;

/// What only the engine under us says.
const FOREIGN: [&str; 22] = [
    "Utf8",
    "Int64",
    "Float64",
    "Boolean(",
    "Struct(",
    "List(",
    "Timestamp(",
    "Interval(",
    "Internal error",
    "internal error",
    "physical plan",
    "logical expression",
    "LogicalPlan",
    "SchemaError",
    "DataFusion",
    "datafusion",
    "Arrow",
    "arrow error",
    "sqltorel",
    "ast node",
    "sqlparser",
    "coercion failed",
];

/// Statements in the file are separated by a line of dashes; after `--!` stands a part of the
/// message that a statement must get.
#[tokio::test]
async fn no_message_is_the_engines_own() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/malformed.sql");
    let text = std::fs::read_to_string(path).unwrap();
    let session = Session::new().await;
    let mut wrong = String::new();
    let mut count = 0;
    for block in text.split("\n----\n") {
        let (sql, says) = block.split_once("\n--!").unwrap_or((block, ""));
        let (sql, says) = (sql.trim(), says.trim());
        count += 1;
        let rendered = match session.run(sql).await {
            Ok(answer) => {
                writeln!(wrong, "{sql}\n  runs: {:?}", answer.rows).unwrap();
                continue;
            }
            Err(error) => error.render(sql),
        };
        // What the statement says itself is no word of the engine.
        let message = rendered.replace(sql, "");
        let foreign = FOREIGN.iter().find(|word| message.contains(*word));
        if let Some(word) = foreign {
            writeln!(wrong, "{sql}\n  says `{word}`: {rendered}").unwrap();
        }
        if !rendered.contains(says) {
            writeln!(wrong, "{sql}\n  does not say `{says}`: {rendered}").unwrap();
        }
    }
    assert!(count >= 200, "{count} statements");
    assert!(wrong.is_empty(), "{wrong}");
}
