//! Identifiers in any case; headers as typed.

use crate::support::Session;

async fn check(sql: &str, expected: &[&str]) {
    let answer = Session::new().await.run(sql).await;
    let answer = answer.unwrap_or_else(|error| panic!("{sql}\n{}", error.render(sql)));
    assert_eq!(answer.headers, expected, "{sql}");
    assert!(answer.rows.iter().all(|row| row.len() == expected.len()), "{sql}");
}

#[tokio::test]
async fn headers_keep_the_case_typed() {
    check("SELECT EVENTID, eventname FROM Events", &["EVENTID", "eventname"]).await;
    check("SELECT useridentity.ARN FROM events", &["ARN"]).await;
    check("SELECT e.userIdentity.sessionContext.sessionIssuer.arn FROM events e", &["arn"]).await;
    check("SELECT \"eventid\" AS Who FROM events ORDER BY WHO", &["Who"]).await;
    check("SELECT e.EventID FROM events AS E WHERE E.EVENTNAME = 'x'", &["EventID"]).await;
}

#[tokio::test]
async fn unnamed_and_repeated_columns_are_allowed() {
    check("SELECT 1, 2, count(*) FROM events", &["_col0", "_col1", "_col2"]).await;
    check("SELECT eventID, lower(eventName) FROM events", &["eventID", "_col1"]).await;
    check(
        "SELECT userIdentity.arn, userIdentity.sessionContext.sessionIssuer.arn FROM events",
        &["arn", "arn"],
    )
    .await;
    check("SELECT eventID, eventID, EVENTID AS eventID FROM events", &["eventID"; 3]).await;
    check("SELECT cast(1 AS varchar), cast(1 AS double)", &["_col0", "_col1"]).await;
    check("VALUES (1, 'a'), (2, 'b')", &["_col0", "_col1"]).await;
    check("SELECT * FROM (VALUES (1, 'a'))", &["_col0", "_col1"]).await;
    check("SELECT _col1 FROM (SELECT 1, 2)", &["_col1"]).await;
    check("SELECT arn FROM (SELECT userIdentity.ARN FROM events) WHERE Arn LIKE 'arn:%'", &["arn"])
        .await;
}

#[tokio::test]
async fn wildcards_take_the_names_of_the_table() {
    let all = [
        "eventID",
        "eventTime",
        "eventName",
        "userIdentity",
        "readOnly",
        "sessionCredentialFromConsole",
        "bytes",
        "requestParameters",
        "responseElements",
        "resources",
        "year",
    ];
    check("SELECT * FROM events ORDER BY eventTime DESC LIMIT 2", &all).await;
    let with_more: Vec<&str> = all.into_iter().chain(["EVENTID", "_col12"]).collect();
    check("SELECT *, EVENTID, 1 FROM events", &with_more).await;
}

#[tokio::test]
async fn group_by_an_alias_that_is_a_column_means_the_column() {
    let sql = "SELECT IF(readOnly, 'read', 'write') AS readOnly, count(*) AS n FROM events \
               GROUP BY DATE_TRUNC('hour', eventTime), readOnly ORDER BY n";
    check(sql, &["readOnly", "n"]).await;
    check("SELECT DISTINCT lower(eventName) FROM events ORDER BY lower(eventName)", &["_col0"])
        .await;
    check(
        "SELECT eventName, count(*) FROM events GROUP BY 1 ORDER BY count(*) DESC, 1",
        &["eventName", "_col1"],
    )
    .await;
}
