//! Maps are read as text and built only for rows of the answer.

use traillake_trino::map::converted_rows;

use crate::support::Session;

async fn check(sql: &str, expected: &[&[&str]]) {
    let answer = Session::new().await.run(sql).await;
    let answer = answer.unwrap_or_else(|error| panic!("{sql}\n{}", error.render(sql)));
    assert_eq!(answer.rows, expected, "{sql}");
}

#[tokio::test]
async fn keys_are_read_in_every_spelling() {
    check("SELECT element_at(requestParameters, 'bucketName'), requestParameters['bucketName'], \
           requestParameters.bucketName, e.requestParameters.bucketname FROM events e ORDER BY eventID",
        &[&["b1", "b1", "b1", "NULL"], &["b2", "b2", "b2", "NULL"], &["NULL"; 4], &["NULL"; 4]]).await;
    check("SELECT requestParameters['count'], requestParameters.flag, requestParameters.none, \
           requestParameters.nested, requestParameters.nested.x[1].y FROM events WHERE eventID = 'e1'",
        &[&["3", "true", "NULL", r#"{"x":[1,{"y":"z"}]}"#, "z"]]).await;
    check(
        "SELECT requestParameters.instancesSet.items[0].instanceId FROM events \
           WHERE requestParameters.instancesSet.items[1].instanceId = 'i-2'",
        &[&["i-1"]],
    )
    .await;
    check("SELECT requestParameters['AWS:Key'], requestParameters.\"AWS:Key\" FROM events WHERE eventID = 'e2'",
        &[&["k", "k"]]).await;
    check("SELECT json_extract_scalar(requestParameters, '$.nested.x[0]') FROM events WHERE requestParameters LIKE '%\"bucketName\":\"b1\"%'",
        &[&["1"]]).await;
    check("SELECT cardinality(requestParameters), map_keys(requestParameters), map_values(responseElements) \
           FROM events ORDER BY eventID",
        &[&["6", "[bucketName, key, count, nested, flag, none]", "NULL"], &["2", "[bucketName, AWS:Key]", "[]"],
          &["1", "[instancesSet]", "[éé]"], &["NULL"; 3]]).await;
}

#[tokio::test]
async fn only_rows_of_the_answer_are_built() {
    let session = Session::new().await;
    let converted = |sql: &'static str| {
        let session = &session;
        async move {
            let before = converted_rows();
            let answer = session.run(sql).await;
            let answer = answer.unwrap_or_else(|error| panic!("{sql}\n{}", error.render(sql)));
            (converted_rows() - before, answer)
        }
    };
    // Other tests of this process convert too: one at a time would be needed for exact counts, so
    // the statements that build nothing come with plans that hold no conversion.
    for sql in [
        "SELECT element_at(requestParameters, 'a'), requestParameters['b'] FROM events",
        "SELECT requestParameters.bucketName, count(*) FROM events GROUP BY 1",
        "SELECT element_at(requestParameters, 'key') FROM events GROUP BY requestParameters",
        "WITH c AS (SELECT * FROM events) SELECT a.eventID FROM c a JOIN c b ON a.requestParameters.bucketName = b.requestParameters.bucketName",
        "SELECT coalesce(responseElements, requestParameters).bucketName FROM events",
        "SELECT IF(readOnly, requestParameters, NULL) FROM events",
        "SELECT requestParameters FROM events UNION ALL SELECT responseElements FROM events",
        "SELECT max_by(requestParameters, eventTime) FROM events",
    ] {
        let plan =
            session.plan(sql).await.unwrap_or_else(|error| panic!("{sql}\n{}", error.render(sql)));
        let text = plan.display_indent().to_string();
        assert!(!text.contains("$map("), "{sql}\n{text}");
    }
    let (_, answer) =
        converted("SELECT requestParameters FROM events ORDER BY eventTime LIMIT 2").await;
    assert_eq!(answer.types, ["map(varchar, varchar)"]);
    assert_eq!(answer.rows[1], ["{bucketName: b2, AWS:Key: k}"]);
    let (_, answer) = converted("SELECT coalesce(responseElements, requestParameters) AS m FROM events WHERE eventID = 'e2'").await;
    assert_eq!(
        (answer.types, answer.rows),
        (vec!["map(varchar, varchar)".to_owned()], vec![vec!["{}".to_owned()]])
    );
    let (_, answer) =
        converted("SELECT max_by(requestParameters, bytes) FROM events WHERE bytes < 25").await;
    assert_eq!(answer.rows, [["{bucketName: b2, AWS:Key: k}"]]);
    let (_, answer) =
        converted("SELECT array_agg(responseElements) FROM events WHERE eventID IN ('e2', 'e3')")
            .await;
    assert_eq!(answer.types, ["array(map(varchar, varchar))"]);
}

#[tokio::test]
async fn maps_unnest_into_keys_and_values() {
    check("SELECT eventID, k, v FROM events CROSS JOIN UNNEST(requestParameters) AS u(k, v) WHERE eventID = 'e2' ORDER BY k",
        &[&["e2", "AWS:Key", "k"], &["e2", "bucketName", "b2"]]).await;
    check("SELECT eventID, k FROM events LEFT JOIN UNNEST(responseElements) AS u(k, v) ON TRUE ORDER BY eventID",
        &[&["e1", "NULL"], &["e2", "NULL"], &["e3", "ok"], &["e4", "NULL"]]).await;
}
