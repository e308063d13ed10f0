//! Faults point at their place and say what to do.

use datafusion::error::DataFusionError;
use traillake_trino::{Kind, Names, Parameters, StatementKind, Value, explain_error, parse};

use crate::support::Session;

async fn check(sql: &str, kind: Kind, place: (usize, usize), says: &str) {
    let error = Session::new().await.run(sql).await.err();
    let error = error.unwrap_or_else(|| panic!("`{sql}` runs"));
    let rendered = error.render(sql);
    assert!(rendered.contains(says), "{sql}\n{rendered}");
    assert_eq!(error.kind, kind, "{sql}\n{rendered}");
    assert_eq!((error.line, error.column), place, "{sql}\n{rendered}");
}

#[tokio::test]
async fn known_mistakes_have_hints() {
    use Kind::{Parameter, Syntax};
    check("SELECT * FROM FROM events", Syntax, (1, 15), "`FROM` stands twice").await;
    check(
        "SELECT eventID FROM events\nORDER BY eventTime DESCLIMIT 10",
        Syntax,
        (2, 20),
        "write `DESC LIMIT`",
    )
    .await;
    check(
        "SELECT eventName FROM events GROUP BY eventNameORDER BY 1",
        Syntax,
        (1, 39),
        "write `eventName ORDER`",
    )
    .await;
    check("SELECT 1; SELECT 2", Syntax, (1, 11), "one statement at a time").await;
    check("SELECT eventID FROM events SELECT 2", Syntax, (1, 28), "one statement at a time").await;
    check("SELECT * FROM $EDS_ID", Parameter, (1, 15), "`$EDS_ID` is a placeholder").await;
    check("SELECT * FROM <event_data_store>", Parameter, (1, 15), "placeholder").await;
    let sql = "SELECT eventID AS id, 1 AS Eds FROM <EDS ID>";
    check(sql, Parameter, (1, 37), "`EDS ID` is a placeholder").await;
    check(
        "SELECT 1 FROM events WHERE eventID='x': select 2 FROM events",
        Syntax,
        (1, 39),
        "one statement at a time",
    )
    .await;
    let member = "SELECT requestParameters:bucketName FROM events";
    check(member, Kind::Unsupported, (1, 25), "write `x.member`").await;
    check("SELECT ‘x’", Syntax, (1, 8), "straight quotes").await;
    check("SELECT 'x", Syntax, (1, 8), "terminated").await;
    check("", Syntax, (0, 0), "empty").await;
}

#[tokio::test]
async fn joins_that_would_be_answered_with_other_rows_are_refused() {
    let (one, two) = ("(SELECT 1 AS x) a", "(SELECT 2 AS x) b");
    for join in ["RIGHT JOIN", "RIGHT OUTER JOIN", "FULL JOIN", "FULL OUTER JOIN"] {
        for sql in [
            format!("SELECT x FROM {one} {join} {two} USING (x)"),
            format!("SELECT x FROM {one} NATURAL {join} {two}"),
            format!("SELECT 1 FROM ({one} {join} {two} USING (x))"),
        ] {
            let error = Session::new().await.run(&sql).await.err();
            let error = error.unwrap_or_else(|| panic!("`{sql}` runs"));
            assert_eq!(error.kind, Kind::Unsupported, "{sql}");
            assert!(error.render(&sql).contains("coalesce(a.x, b.x)"), "{}", error.render(&sql));
        }
    }
}

#[tokio::test]
async fn only_reading_statements_run() {
    use Kind::NotReadOnly;
    for sql in [
        "DROP TABLE events",
        "INSERT INTO events VALUES (1)",
        "SET x = 1",
        "CREATE TABLE x AS SELECT 1",
        "COPY events TO 'x'",
        "DELETE FROM events",
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
    ] {
        check(sql, NotReadOnly, (1, 1), "only reads").await;
    }
}

#[tokio::test]
async fn unknown_names_are_placed_and_guessed() {
    use Kind::{Semantic, UnknownName};
    check("SELECT evntName FROM events", UnknownName, (1, 8), "did you mean `eventName`").await;
    check("SELECT lowr(eventName) FROM events", UnknownName, (1, 8), "does not exist").await;
    check("SELECT 1 FROM evnts", UnknownName, (1, 15), "did you mean `events`").await;
    check("SELECT userIdentity.arm FROM events", Semantic, (1, 21), "did you mean `arn`").await;
    check(
        "SELECT userIdentity.type, count(*) FROM events GROUP BY userIdentity.arn",
        Semantic,
        (1, 8),
        "`userIdentity` must be in GROUP BY",
    )
    .await;
    check("SELECT eventName.x FROM events", Semantic, (1, 18), "json_extract_scalar").await;
}

#[tokio::test]
async fn what_a_message_names_is_where_the_caret_is() {
    use Kind::Semantic;
    for (sql, place, says) in [
        (
            "SELECT eventID\nFROM events WHERE eventTime > 'yesterday'",
            (2, 31),
            "`'yesterday'` is compared with a timestamp but is none",
        ),
        ("SELECT 1 FROM events WHERE eventTime BETWEEN 'x' AND 'y'", (1, 46), "`'x'` is compared"),
        ("SELECT 1 FROM events WHERE readOnly = 'maybe'", (1, 39), "`'maybe'` is compared"),
        ("SELECT 1 FROM events WHERE eventID = 444455", (1, 38), "in quotes: '444455'"),
        ("SELECT 1 FROM events WHERE eventID IN ('a', 7)", (1, 45), "in quotes: '7'"),
        ("SELECT CAST('12x' AS bigint)", (1, 13), "cannot cast '12x' to bigint"),
        ("SELECT 1, BIGINT '12x'", (1, 18), "cannot cast '12x' to bigint"),
        ("SELECT CAST('2023-99-01' AS date)", (1, 13), "2023-99-01"),
        ("SELECT TIMESTAMP 'noon'", (1, 18), "noon"),
        ("SELECT json_extract(eventName, '$..a') FROM events", (1, 32), "invalid JSON path"),
        ("SELECT json_value(eventName, 'lax $.') FROM events", (1, 30), "the JSON path"),
        ("SELECT ARRAY[1, 2][5]", (1, 20), "array subscript must be less than or equal"),
        ("SELECT ARRAY[1, 2][-1]", (1, 21), "array subscript is negative"),
        ("SELECT ARRAY[1, 2][0]", (1, 20), "indices start at 1"),
        ("SELECT userIdentity.sessionContext.issuer FROM events", (1, 36), "has no field `issuer`"),
        ("SELECT date_add('fortnight', 1, eventTime) FROM events", (1, 17), "not a unit of time"),
        (
            "SELECT x FROM (SELECT 1 AS x, 2 AS x)",
            (1, 8),
            "column `x` is ambiguous: two columns have that name",
        ),
    ] {
        check(sql, Semantic, place, says).await;
    }
    check("SELECT eventName 'n' FROM events", Kind::Syntax, (1, 18), "double quotes: \"n\"").await;
    check("SELECT 1 FROM events 'e'", Kind::Syntax, (1, 22), "double quotes: \"e\"").await;
    check("SELECT eventName AS 'n' FROM events", Kind::Syntax, (1, 21), "where a name is").await;
}

/// A value that fails may read like a text elsewhere in the statement, which is right.
#[tokio::test]
async fn no_caret_stands_under_what_may_be_right() {
    let sql = "SELECT CAST(eventName AS bigint) FROM events WHERE eventName = 'GetObject'";
    check(sql, Kind::Semantic, (0, 0), "cannot cast 'GetObject' to bigint").await;
    let sql = "SELECT CAST('x' AS bigint), CAST('x' AS double)";
    check(sql, Kind::Semantic, (0, 0), "cannot cast 'x' to").await;
}

#[tokio::test]
async fn columns_of_one_name_can_be_shown_but_not_named() {
    let session = Session::new().await;
    let one = async |sql: &str| session.run(sql).await.map(|answer| answer.rows);
    let twice = "SELECT eventID, eventID FROM events";
    assert_eq!(one("SELECT * FROM (SELECT 1 AS x, 2 AS x)").await.unwrap(), [["1", "2"]]);
    let ordered = one(&format!("{twice} ORDER BY eventID LIMIT 1")).await;
    assert_eq!(ordered.unwrap(), [["e1", "e1"]]);
    let joined = "SELECT a.eventID, b.eventID FROM events a JOIN events b ON a.bytes < b.bytes";
    for order in ["ORDER BY a.eventID, b.eventID", "ORDER BY 1, 2"] {
        let rows = one(&format!("{joined} {order}")).await;
        assert_eq!(rows.unwrap(), [["e1", "e2"], ["e1", "e3"], ["e2", "e3"]], "{order}");
    }
    let beside = "SELECT e.eventID FROM events e, (SELECT 1 AS eventID, 2 AS eventID) t \
                  WHERE e.eventID = 'e1'";
    assert_eq!(one(beside).await.unwrap(), [["e1"]]);
    let both = format!("SELECT * FROM ({twice}) INTERSECT SELECT * FROM ({twice})");
    assert_eq!(one(&format!("SELECT count(*) FROM ({both})")).await.unwrap(), [["4"]]);
    for (sql, column) in [
        ("WITH t AS (SELECT 1 AS x, 2 AS x) SELECT t.x FROM t", 42),
        ("SELECT count(*) FROM (SELECT 1 AS x, 2 AS x) WHERE x = 1", 52),
        ("SELECT eventID FROM (SELECT * FROM events, (SELECT 1 AS x, 2 AS x)) WHERE x = 1", 75),
    ] {
        check(sql, Kind::Semantic, (1, column), "ambiguous").await;
    }
}

#[test]
fn messages_lose_what_only_the_engine_knows() {
    for (message, expected) in [
        ("arrow error: Divide by zero error", "division by zero"),
        (
            "internal error: Function 'sum' failed to match any signature, errors: …",
            "`sum` does not take values of these types",
        ),
        (
            "arrow error: Cast error: Cannot cast string 'x' to value of Int64 type",
            "cannot cast 'x' to bigint",
        ),
        ("execution error: there is no table `events2`", "there is no table `events2`"),
    ] {
        let error = DataFusionError::Execution(message.to_owned());
        assert_eq!(explain_error(&error, &Names::new(), "").message, expected);
    }
}

#[tokio::test]
async fn parameters_are_values_and_never_text() {
    let session = Session::new().await;
    let run = |sql: &'static str, parameters: Parameters| {
        let session = &session;
        async move { session.run_with(sql, &parameters).await }
    };
    let named = |value: &str| Parameters::from_names([("n", Value::Text(value.into()))]);
    let sql = "SELECT eventID FROM events WHERE eventName = :n";
    assert_eq!(run(sql, named("GetObject")).await.unwrap().rows, [["e1"]]);
    assert!(run(sql, named("' OR '1'='1")).await.unwrap().rows.is_empty());
    let sql = "SELECT eventID FROM events WHERE eventTime >= :n ORDER BY 1 LIMIT :n2";
    let mut since = named("2023-02-01");
    since.named.insert("n2".into(), Value::Text("1".into()));
    assert_eq!(run(sql, since).await.unwrap().rows, [["e3"]]);
    let sql = "SELECT ?, ? FROM events WHERE bytes = ?";
    let three = vec![Value::Integer(-1), Value::Null, Value::Integer(10)];
    let positional = Parameters { positional: three, ..Parameters::default() };
    assert_eq!(run(sql, positional).await.unwrap().rows, [["-1", "NULL"]]);
    let sql = "SELECT count(*) FROM events WHERE contains(:n, eventName)";
    let texts = Value::Texts(vec!["GetObject".into(), "PutObject".into()]);
    assert_eq!(run(sql, Parameters::from_names([("n", texts)])).await.unwrap().rows, [["2"]]);

    let missing = run("SELECT :x", Parameters::default()).await.unwrap_err();
    assert_eq!((missing.kind, missing.column), (Kind::Parameter, 8));
    assert_eq!(run("SELECT 1", named("x")).await.unwrap_err().kind, Kind::Parameter);
}

#[tokio::test]
async fn bare_ids_are_table_names() {
    let session = Session::new().await;
    let id = "0233062b-51c6-4d18-8dec-a8c90da840d9";
    let arn = format!("arn:aws:cloudtrail:us-east-1:111122223333:eventdatastore/{id}");
    for (sql, expected) in [
        (format!("SELECT eventID FROM {id} WHERE eventName = '{id}' -- {id}"), vec![id]),
        (
            format!("SELECT a.eventID FROM {arn} a JOIN \"AwsDataCatalog\".x.{id} AS b ON true"),
            vec![arn.as_str(), "AwsDataCatalog.x.0233062b-51c6-4d18-8dec-a8c90da840d9"],
        ),
        (format!("WITH c AS (SELECT 1) SELECT * FROM c, {id}"), vec![id]),
    ] {
        let mut parsed = parse(&sql, &session.names).unwrap();
        assert_eq!(parsed.kind, StatementKind::Query);
        let mut seen = Vec::new();
        parsed
            .resolve_tables(|table| {
                seen.push(table.parts.join("."));
                assert_eq!(
                    sql.lines().next().unwrap().chars().skip(table.column - 1).take(3).count(),
                    3
                );
                Ok(Some(vec!["events".into()]))
            })
            .unwrap();
        assert_eq!(seen, expected, "{sql}");
        parsed.bind(&Parameters::default()).unwrap();
        let planned = session.context.state().statement_to_plan(parsed.statement).await;
        assert!(planned.is_ok(), "{sql}: {planned:?}");
    }
}

/// A statement may be one line of any length.
#[tokio::test]
async fn a_place_far_to_the_right_is_shown() {
    let sql = format!("SELECT {} FRM x y z", " ".repeat(100_000));
    let error = Session::new().await.run(&sql).await.err().unwrap();
    let rendered = error.render(&sql);
    let lines: Vec<Vec<char>> = rendered.lines().map(|line| line.chars().collect()).collect();
    let column_of = |line: usize, c: char| lines[line].iter().position(|found| *found == c);
    assert_eq!(column_of(2, '^'), column_of(1, 'y'), "{rendered}");
    assert!(column_of(2, '^').is_some_and(|column| column < 120), "{rendered}");
}
