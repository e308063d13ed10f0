//! What people write: payload paths, other databases' spellings, subqueries over arrays of rows.

use traillake_trino::{Parameters, parse};

use crate::support::Session;

async fn check(sql: &str, expected: &[&[&str]]) {
    let answer = Session::new().await.run(sql).await;
    let answer = answer.unwrap_or_else(|error| panic!("{sql}\n{}", error.render(sql)));
    assert_eq!(answer.rows, expected, "{sql}");
}

/// The ids of the events for which a condition holds.
async fn check_where(condition: &str, expected: &[&str]) {
    let sql = format!("SELECT eventID FROM events WHERE {condition} ORDER BY 1");
    let rows: Vec<Vec<&str>> = expected.iter().map(|id| vec![*id]).collect();
    let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
    check(&sql, &rows).await;
}

#[tokio::test]
async fn arrows_read_json_and_make_lambdas() {
    let inner = "requestParameters -> 'instancesSet' -> 'items' -> 0 ->> 'instanceId'";
    check_where(&format!("{inner} = 'i-1'"), &["e3"]).await;
    check_where("requestParameters ->> 'bucketName' = 'b1'", &["e1"]).await;
    check(
        "SELECT e.requestParameters -> 'bucketName' FROM events e WHERE eventID = 'e2'",
        &[&["b2"]],
    )
    .await;
}

#[tokio::test]
async fn a_lambda_stays_a_lambda() {
    check("SELECT transform(ARRAY[1, 2], x -> x + 1)", &[&["[2, 3]"]]).await;
    check("SELECT transform(ARRAY['a', 'b'], x -> 'c')", &[&["[c, c]"]]).await;
    check("SELECT filter(ARRAY['a', 'b'], (x) -> x = 'a')", &[&["[a]"]]).await;
    let sql = "SELECT transform(map_values(requestParameters), v -> v || '!') FROM events WHERE eventID = 'e2'";
    check(sql, &[&["[b2!, k!]"]]).await;
}

#[tokio::test]
async fn other_databases_spellings_are_read() {
    check_where("readOnly ISNULL", &["e4"]).await;
    check_where("readOnly NOTNULL", &["e1", "e2", "e3"]).await;
    check_where("eventName ILIKE 'getobj%'", &["e1"]).await;
    check_where("requestParameters LIKE '%\"bucketName\":\"b1\"%'", &["e1"]).await;
    check_where("eventTime > TIMESTAMP '2023-02-02 00:00:00' - interval '7 days'", &["e3", "e4"])
        .await;
    check_where("eventTime::date = DATE '2023-01-01'", &["e1", "e2"]).await;
    check("SELECT eventID FROM events ORDER BY 1 LIMIT 2 OFFSET 1", &[&["e2"], &["e3"]]).await;
    check("SELECT eventID FROM events ORDER BY 1 OFFSET 1 LIMIT 2", &[&["e2"], &["e3"]]).await;
    check("SELECT string_agg(eventID, '+' ORDER BY eventID DESC) FROM events", &[&["e4+e3+e2+e1"]])
        .await;
    check("SELECT count(*) FILTER (WHERE readOnly), count() FROM events", &[&["1", "4"]]).await;
    let sql = "SELECT dateadd(day, -1, DATE '2020-01-02'), date_diff(hour, DATE '2020-01-01', DATE '2020-01-02'), \
               date_part('hour', eventTime) FROM events WHERE eventID = 'e1'";
    check(sql, &[&["2020-01-01", "24", "12"]]).await;
    check(
        "SELECT trim(LEADING FROM ' a'), '[' || trim(BOTH 'x' FROM 'xax') || ']'",
        &[&["a", "[a]"]],
    )
    .await;
}

#[tokio::test]
async fn payloads_are_read_by_path() {
    let path = |path: &str| format!("SELECT {path} FROM events WHERE eventID = 'e3'");
    for sql in [
        path("requestParameters.instancesSet.items[1].instanceId"),
        path("requestParameters['instancesSet']['items'][1]['instanceId']"),
        path("requestParameters['instancesSet'].items[1].instanceId"),
        path("events.requestParameters.\"instancesSet\".\"items\"[1].\"instanceId\""),
    ] {
        check(&sql, &[&["i-2"]]).await;
    }
    check_where("requestParameters.bucketname = 'b1'", &[]).await;
    check_where("REQUESTPARAMETERS.bucketName = 'b1'", &["e1"]).await;
    check_where("requestParameters.\"AWS:Key\" = 'k'", &["e2"]).await;
    check_where("json_extract_scalar(requestParameters, '$.bucketName') = 'b2'", &["e2"]).await;
}

#[tokio::test]
async fn subqueries_read_the_array_of_their_row() {
    let object = "r.type = 'AWS::S3::Object'";
    check_where(&format!("EXISTS (SELECT 1 FROM UNNEST(resources) AS r WHERE {object})"), &["e1"])
        .await;
    check_where(
        &format!("NOT EXISTS (SELECT 1 FROM UNNEST(events.resources) AS r WHERE {object})"),
        &["e2", "e3", "e4"],
    )
    .await;
    check_where("'arn:k1' IN (SELECT arn FROM UNNEST(resources))", &["e3"]).await;
    check_where("'arn:k1' NOT IN (SELECT arn FROM UNNEST(resources))", &["e1", "e2", "e4"]).await;
    check_where(
        "EXISTS (SELECT 1 FROM UNNEST(map_keys(requestParameters)) AS u(k) WHERE k LIKE 'AWS%' AND eventName = 'PutObject')",
        &["e2"],
    )
    .await;
    check_where(
        "EXISTS (SELECT 1 FROM UNNEST(requestParameters) AS u(k, v) WHERE k = 'bucketName' AND v = 'b2')",
        &["e2"],
    )
    .await;
    check_where(
        "(SELECT count(*) FROM UNNEST(resources) AS r WHERE r.accountId = '111') > 1",
        &["e1"],
    )
    .await;
    let sql = "SELECT eventID, (SELECT max(r.arn) FROM UNNEST(resources) AS r WHERE r.type IS NOT NULL), \
               (SELECT listagg(r.arn, '+') WITHIN GROUP (ORDER BY r.arn DESC) FROM UNNEST(resources) AS r) \
               FROM events ORDER BY 1";
    let none = ["NULL", "NULL"];
    check(
        sql,
        &[
            &["e1", "arn:b1/o", "arn:b1/o+arn:b1"],
            &["e2", none[0], none[1]],
            &["e3", "NULL", "arn:k1"],
            &["e4", "NULL", "NULL"],
        ],
    )
    .await;
    let sql = "SELECT e.eventID, r.arn FROM events e LEFT JOIN UNNEST(e.resources) AS r ON r.type = 'AWS::S3::Bucket' ORDER BY 1";
    check(sql, &[&["e1", "arn:b1"], &["e2", "NULL"], &["e3", "NULL"], &["e4", "NULL"]]).await;
    let sql = "SELECT e.eventID, u.n FROM events e CROSS JOIN LATERAL (SELECT count(*) AS n FROM UNNEST(e.resources)) u ORDER BY 1";
    check(sql, &[&["e1", "2"], &["e2", "0"], &["e3", "1"], &["e4", "0"]]).await;
    let sql = "SELECT a.id, t.z FROM (SELECT eventID AS id FROM events) a, UNNEST(ARRAY[a.id]) t(z) WHERE z < 'e3' ORDER BY 1";
    check(sql, &[&["e1", "e1"], &["e2", "e2"]]).await;
}

/// DataFusion takes the column of the outer query for the inner one of the same name.
#[tokio::test]
async fn quantified_comparisons_tell_the_outer_column_from_the_inner() {
    check_where("bytes = ANY (SELECT bytes FROM events WHERE readOnly)", &["e1"]).await;
    check_where("bytes > ALL (SELECT bytes FROM events WHERE readOnly)", &["e2", "e3"]).await;
    check_where("bytes <> ALL (SELECT bytes FROM events WHERE readOnly)", &["e2", "e3"]).await;
    check_where("bytes < ANY (SELECT bytes FROM events)", &["e1", "e2"]).await;
    check_where("bytes >= ALL (SELECT bytes FROM events WHERE bytes IS NOT NULL)", &["e3"]).await;
    check_where("bytes >= ALL (SELECT bytes FROM events)", &[]).await;
}

#[tokio::test]
async fn subqueries_are_values_too() {
    let sql = "SELECT eventID, EXISTS (SELECT 1 FROM events b WHERE b.eventID = a.eventID AND b.readOnly), \
               eventID IN (SELECT eventID FROM events WHERE readOnly = false) FROM events a ORDER BY 1";
    check(
        sql,
        &[
            &["e1", "true", "false"],
            &["e2", "false", "true"],
            &["e3", "false", "true"],
            &["e4", "false", "false"],
        ],
    )
    .await;
    check(
        "SELECT count_if(eventID IN (SELECT eventID FROM events WHERE readOnly)) FROM events",
        &[&["1"]],
    )
    .await;
    let same = "(SELECT count(*) FROM events b WHERE b.readOnly = a.readOnly)";
    check(&format!("SELECT sum({same}) FROM events a"), &[&["5"]]).await;
    check(
        "SELECT eventID FROM events ORDER BY eventID IN (SELECT eventID FROM events WHERE bytes > 10) DESC, 1",
        &[&["e2"], &["e3"], &["e1"], &["e4"]],
    )
    .await;
    check(
        &format!("SELECT {same} AS n, count(*) FROM events a GROUP BY 1 ORDER BY 1"),
        &[&["0", "1"], &["1", "1"], &["2", "2"]],
    )
    .await;
    check_where(
        "NOT eventID IN (SELECT b.eventID FROM events b WHERE b.readOnly = events.readOnly)",
        &["e4"],
    )
    .await;
    check_where(
        "eventID NOT IN (SELECT b.eventID FROM events b WHERE b.readOnly = events.readOnly)",
        &["e4"],
    )
    .await;
    check_where("(eventID, lower(eventName)) IN (SELECT eventID, lower(eventName) FROM events WHERE readOnly)", &["e1"])
        .await;
    check_where("(eventID, bytes) IN (('e1', 10), ('e2', 21), (eventID, 30))", &["e1", "e3"]).await;
}

#[tokio::test]
async fn fields_of_rows_stand_in_grouping_sets() {
    let sql = "SELECT userIdentity.type, readOnly, count(*) FROM events WHERE eventID < 'e3' \
               GROUP BY ROLLUP (userIdentity.type, readOnly) ORDER BY 1, 2";
    check(
        sql,
        &[
            &["AssumedRole", "false", "1"],
            &["AssumedRole", "NULL", "1"],
            &["IAMUser", "true", "1"],
            &["IAMUser", "NULL", "1"],
            &["NULL", "NULL", "2"],
        ],
    )
    .await;
}

#[tokio::test]
async fn patterns_have_the_escape_character_they_say() {
    check(
        "SELECT 'a_b' LIKE 'a#_b' ESCAPE '#', 'axb' LIKE 'a#_b' ESCAPE '#'",
        &[&["true", "false"]],
    )
    .await;
    check(
        r"SELECT 'a_b' LIKE 'a\_b' ESCAPE '\', 'axb' LIKE 'a\_b' ESCAPE '\'",
        &[&["true", "false"]],
    )
    .await;
    check(r"SELECT 'a\xb' LIKE 'a\_b', 'a_b' LIKE 'a\_b'", &[&["true", "false"]]).await;
}

#[tokio::test]
async fn samples_take_rows_by_chance() {
    check("SELECT count(*) FROM events TABLESAMPLE BERNOULLI (0)", &[&["0"]]).await;
    check("SELECT count(*) FROM events AS e TABLESAMPLE SYSTEM (100) WHERE e.readOnly", &[&["1"]])
        .await;
}

#[tokio::test]
async fn a_comparison_with_null_is_noted() {
    let session = Session::new().await;
    for (sql, says) in [
        ("SELECT eventID FROM events WHERE eventName = NULL", "write `eventName IS NULL`"),
        ("SELECT eventID FROM events WHERE NULL <> eventName", "write `eventName IS NOT NULL`"),
    ] {
        let mut parsed = parse(sql, &session.names).unwrap();
        parsed.bind(&Parameters::default()).unwrap();
        assert!(parsed.notes.iter().any(|note| note.contains(says)), "{sql}: {:?}", parsed.notes);
    }
    let parsed = parse("SELECT 1 WHERE 1 IS NULL", &session.names).unwrap();
    assert!(parsed.notes.is_empty(), "{:?}", parsed.notes);
}
