//! Rows of views dissolve; comparisons with text fold into the column's type.

use crate::support::Session;

async fn check(sql: &str, expected: &[&[&str]]) {
    let answer = Session::new().await.run(sql).await;
    let answer = answer.unwrap_or_else(|error| panic!("{sql}\n{}", error.render(sql)));
    assert_eq!(answer.rows, expected, "{sql}");
}

/// The plan's text must hold `has` and not hold `lacks`.
async fn check_plan(sql: &str, has: &str, lacks: &str) {
    let plan = Session::new().await.plan(sql).await;
    let plan = plan.unwrap_or_else(|error| panic!("{sql}\n{}", error.render(sql)));
    let text = plan.display_indent().to_string();
    assert!(text.contains(has), "{sql}: no `{has}` in\n{text}");
    assert!(lacks.is_empty() || !text.contains(lacks), "{sql}: `{lacks}` in\n{text}");
}

#[tokio::test]
async fn fields_of_rows_are_bare_columns() {
    let bare = "stored.userIdentity_arn = Utf8(\"x\")";
    for sql in [
        "SELECT eventID FROM events WHERE userIdentity.arn = 'x'",
        "SELECT eventID FROM events e WHERE e.useridentity.ARN = 'x'",
        "WITH c AS (SELECT * FROM events) SELECT eventID FROM c WHERE userIdentity.arn = 'x'",
        "SELECT id FROM (SELECT eventID AS id, userIdentity AS u FROM events) WHERE u.arn = 'x'",
        "SELECT a.eventID FROM events a JOIN events b ON a.eventID = b.eventID WHERE b.userIdentity.arn = 'x'",
        "SELECT eventID FROM events WHERE eventID IN (SELECT eventID FROM events WHERE userIdentity.arn = 'x')",
        "SELECT count(*) FROM (SELECT * FROM events ORDER BY eventTime) WHERE userIdentity.arn = 'x'",
    ] {
        check_plan(sql, bare, "row_if").await;
    }
    check_plan(
        "SELECT eventID FROM events WHERE userIdentity.sessionContext.sessionIssuer.arn IS NULL",
        "stored.userIdentity_sessionIssuer_arn IS NULL",
        "row_if",
    )
    .await;
    check_plan(
        "SELECT eventID FROM events WHERE userIdentity IS NULL",
        "stored.userIdentity_type IS N",
        "row_if",
    )
    .await;
    check_plan(
        "SELECT userIdentity.arn, count(*) FROM events GROUP BY userIdentity.arn",
        "groupBy=[[events.userIdentity.arn",
        "row_if",
    )
    .await;
    check_plan(
        "SELECT CASE WHEN userIdentity.type = 'Root' THEN 1 ELSE 0 END FROM events",
        "userIdentity_type",
        "row_if",
    )
    .await;
}

#[tokio::test]
async fn rows_are_whole_in_the_answer() {
    check("SELECT userIdentity FROM events WHERE eventID IN ('e2', 'e4') ORDER BY eventID",
        &[&["{type: AssumedRole, arn: arn:role, sessionContext: {attributes: {mfaAuthenticated: false}, sessionIssuer: {arn: arn:issuer}}}"],
          &["NULL"]]).await;
    check("SELECT userIdentity.sessionContext FROM events WHERE eventID = 'e1'", &[&["NULL"]])
        .await;
    check("SELECT userIdentity IS NULL, userIdentity.sessionContext IS NOT NULL FROM events ORDER BY eventID",
        &[&["false", "false"], &["false", "true"], &["false", "false"], &["true", "false"]]).await;
    check("SELECT userIdentity.type FROM events UNION ALL SELECT u.type FROM (SELECT userIdentity u FROM events UNION ALL SELECT userIdentity FROM events) WHERE u.type = 'Root' ORDER BY 1",
        &[&["AssumedRole"], &["IAMUser"], &["Root"], &["Root"], &["Root"], &["NULL"]]).await;
    check("SELECT count(DISTINCT userIdentity) FROM events", &[&["3"]]).await;
    check("SELECT eventID FROM events o WHERE EXISTS (SELECT 1 FROM events i WHERE i.userIdentity.arn = o.userIdentity.arn AND i.eventID = 'e1')",
        &[&["e1"]]).await;
}

#[tokio::test]
async fn timestamps_compare_with_text() {
    for text in [
        "2023-02-01 12:00:00",
        "2023-02-01T12:00:00Z",
        "2023-02-01 12:00:00.000",
        "2023-02-01 12:00",
        "2023-02-01 07:00:00 -05:00",
    ] {
        let sql = format!("SELECT eventID FROM events WHERE eventTime >= '{text}' ORDER BY 1");
        check(&sql, &[&["e3"], &["e4"]]).await;
        check_plan(
            &sql,
            "stored.eventTime >= TimestampMicrosecond(1675252800000000",
            "CAST(stored.eventTime",
        )
        .await;
    }
    check(
        "SELECT eventID FROM events WHERE eventTime BETWEEN '2023-01-01' AND '2023-01-01 12:30:00'",
        &[&["e1"]],
    )
    .await;
    check("SELECT eventID FROM events WHERE '2023-01-02' < eventTime AND eventTime IN ('2023-02-01 12:00:01')", &[&["e4"]]).await;
    check_plan("SELECT eventID FROM events WHERE eventTime >= date_format(date_add('day', -7, TIMESTAMP '2023-02-08 12:00:00'), '%Y-%m-%d %H:%i:%s')",
        "stored.eventTime >= TimestampMicrosecond(1675252800000000", "CAST(stored.eventTime").await;
    check_plan(
        "SELECT eventID FROM events WHERE eventTime >= date_add('week', -1, current_timestamp)",
        "stored.eventTime >= TimestampMicrosecond(",
        "CAST(stored.eventTime",
    )
    .await;
    check_plan("SELECT eventID FROM events WHERE eventTime > from_iso8601_timestamp('2023-02-01T12:00:00Z') AND eventTime < TIMESTAMP '2024-01-01 00:00:00'",
        "stored.eventTime > TimestampMicrosecond(1675252800000000", "CAST(stored.eventTime").await;
    let error = Session::new()
        .await
        .run("SELECT 1 FROM events WHERE eventTime > 'yesterday'")
        .await
        .unwrap_err();
    assert!(error.message.contains("`'yesterday'`"), "{error}");
}

#[tokio::test]
async fn booleans_compare_with_text_both_ways() {
    check("SELECT eventID FROM events WHERE readOnly = 'true'", &[&["e1"]]).await;
    check("SELECT eventID FROM events WHERE readOnly IN ('FALSE') ORDER BY 1", &[&["e2"], &["e3"]])
        .await;
    check("SELECT eventID FROM events WHERE sessionCredentialFromConsole = true", &[&["e1"]]).await;
    check_plan(
        "SELECT eventID FROM events WHERE sessionCredentialFromConsole = true",
        "stored.sessionCredentialFromConsole = Utf8(\"true\")",
        "CAST",
    )
    .await;
}

#[tokio::test]
async fn arrays_of_rows_unnest_into_columns() {
    check("SELECT eventID, r.type, r.arn FROM events CROSS JOIN UNNEST(resources) AS r ORDER BY eventID, r.arn",
        &[&["e1", "AWS::S3::Bucket", "arn:b1"], &["e1", "AWS::S3::Object", "arn:b1/o"], &["e3", "NULL", "arn:k1"]]).await;
    check("SELECT e.eventID, a, n FROM events e, UNNEST(e.resources) WITH ORDINALITY AS u(account, t, a, n) WHERE e.userIdentity.type = 'IAMUser' ORDER BY n",
        &[&["e1", "arn:b1", "1"], &["e1", "arn:b1/o", "2"]]).await;
    check("SELECT eventID, arn FROM events LEFT JOIN UNNEST(resources) AS r ON TRUE WHERE eventID IN ('e2', 'e4') ORDER BY 1",
        &[&["e2", "NULL"], &["e4", "NULL"]]).await;
    check("SELECT element_at(resources, 1).accountId, resources[1].arn FROM events WHERE cardinality(resources) = 2", &[&["111", "arn:b1"]]).await;
    check(
        "SELECT eventID FROM events WHERE any_match(resources, r -> r.type = 'AWS::S3::Object')",
        &[&["e1"]],
    )
    .await;
    check("SELECT cardinality(filter(resources, r -> r.type = 'AWS::S3::Object')), transform(resources, r -> r.arn) FROM events WHERE eventID = 'e1'",
        &[&["1", "[arn:b1, arn:b1/o]"]]).await;
}
