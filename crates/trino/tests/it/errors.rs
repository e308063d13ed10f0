//! Faults point at their place and say what to do.

use traillake_trino::{Kind, Parameters, StatementKind, Value, parse};

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
    check("SELECT ‘x’", Syntax, (1, 8), "straight quotes").await;
    check("SELECT 'x", Syntax, (1, 8), "terminated").await;
    check("", Syntax, (0, 0), "empty").await;
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
    check("SELECT userIdentity.arm FROM events", Semantic, (0, 0), "did you mean `arn`").await;
    check(
        "SELECT userIdentity.type, count(*) FROM events GROUP BY userIdentity.arn",
        Semantic,
        (1, 8),
        "`userIdentity` must be in GROUP BY",
    )
    .await;
    check("SELECT eventName.x FROM events", Semantic, (0, 0), "json_extract_scalar").await;
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
