//! Athena's operations, as bytes.

use serde_json::{Value, json};

use super::athena_session::{
    bench, call, done, over, record, refused, request, rows, run, start, texts,
};

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_as_athena_spells_them() {
    let bench = bench().await;
    let served = bench.serve().await;
    for (sql, type_name, precision, scale, value) in [
        ("CAST(7 AS integer)", "integer", 10, 0, text("7")),
        ("BIGINT '-7'", "bigint", 19, 0, text("-7")),
        ("true", "boolean", 0, 0, text("true")),
        ("DECIMAL '12.50'", "decimal", 4, 2, text("12.50")),
        ("DOUBLE '12345678'", "double", 17, 0, text("1.2345678E7")),
        ("nan()", "double", 17, 0, text("NaN")),
        ("-infinity()", "double", 17, 0, text("-Infinity")),
        ("REAL '0.5'", "float", 17, 0, text("0.5")),
        ("''", "varchar", 2_147_483_647, 0, text("")),
        ("CAST(NULL AS varchar)", "varchar", 2_147_483_647, 0, None),
        ("NULL", "unknown", 0, 0, None),
        ("'☃ \"x\"'", "varchar", 2_147_483_647, 0, text("☃ \"x\"")),
        ("DATE '2024-05-01'", "date", 0, 0, text("2024-05-01")),
        ("TIMESTAMP '2024-05-01 01:02:03'", "timestamp", 3, 0, text("2024-05-01 01:02:03.000")),
        (
            "TIMESTAMP '2024-05-01 01:02:03.004 UTC'",
            "timestamp with time zone",
            3,
            0,
            text("2024-05-01 01:02:03.004 UTC"),
        ),
        ("ARRAY[1, NULL, 3]", "array", 0, 0, text("[1, null, 3]")),
        ("MAP(ARRAY['k', 'l'], ARRAY['v', NULL])", "map", 0, 0, text("{k=v, l=null}")),
        ("CAST(ROW(1, 'x') AS ROW(a bigint, b varchar))", "row", 0, 0, text("{a=1, b=x}")),
        ("X'00ff'", "varbinary", 1_073_741_824, 0, text("00 ff")),
        ("json_parse('{\"a\": [1]}')", "json", 0, 0, text("{\"a\":[1]}")),
    ] {
        let id = run(&served, &format!("SELECT {sql} AS \"A b\"")).await;
        let page = done(&served, "GetQueryResults", json!({ "QueryExecutionId": id })).await;
        assert_eq!(texts(&page), [vec![text("A b")], vec![value]], "{sql}");
        let column = &page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"][0];
        let expected = json!({
            "CatalogName": "hive", "SchemaName": "", "TableName": "", "Name": "A b",
            "Label": "A b", "Type": type_name, "Precision": precision, "Scale": scale,
            "Nullable": "UNKNOWN", "CaseSensitive": type_name == "varchar",
        });
        assert_eq!(*column, expected, "{sql}");
        assert!(page.get("NextToken").is_none(), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_has_no_labels() {
    let bench = bench().await;
    let served = bench.serve().await;
    for (sql, kind, ending) in [
        ("SHOW TABLES", "UTILITY", "txt"),
        ("DESCRIBE cloudtrail_logs", "UTILITY", "txt"),
        ("EXPLAIN SELECT 1", "UTILITY", "txt"),
        ("CREATE EXTERNAL TABLE cloudtrail_logs (eventversion STRING)", "DDL", "txt"),
        ("SELECT 1 WHERE false", "DML", "csv"),
    ] {
        let id = run(&served, sql).await;
        let execution = over(&served, &id).await;
        assert_eq!(execution["StatementType"], kind, "{sql}");
        let location = format!("s3://traillake_results/{id}.{ending}");
        assert_eq!(execution["ResultConfiguration"]["OutputLocation"], location, "{sql}");
        let page = done(&served, "GetQueryResults", json!({ "QueryExecutionId": id })).await;
        let found = texts(&page);
        let columns = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"].as_array().unwrap();
        let names: Vec<_> = columns.iter().map(|column| column["Name"].clone()).collect();
        match sql {
            "SHOW TABLES" => {
                assert_eq!(names, ["tab_name"]);
                assert!(found.contains(&vec![text("events")]), "{found:?}");
            }
            "DESCRIBE cloudtrail_logs" => {
                assert_eq!(names, ["col_name", "data_type", "comment"]);
                let first = ["eventversion", "varchar", ""].map(text).to_vec();
                assert_eq!(found.first(), Some(&first), "{page}");
            }
            "SELECT 1 WHERE false" => assert_eq!(found, [vec![text("_col0")]]),
            sql if sql.starts_with("CREATE") => {
                assert!(found.is_empty() && columns.is_empty(), "{page}");
                let note = execution["Status"]["StateChangeReason"].as_str().unwrap();
                assert!(note.contains("nothing was changed"), "{note}");
            }
            _ => assert!(!found.is_empty(), "{sql}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_every_row_once_before_and_after_a_restart() {
    let bench = bench().await;
    let mut served = bench.serve().await;
    let id = run(&served, "SELECT n FROM UNNEST(sequence(1, 2500)) AS t(n)").await;
    let other = run(&served, "SELECT n FROM UNNEST(sequence(1, 2500)) AS t(n)").await;
    for size in [1000, 333] {
        let mut body = json!({ "QueryExecutionId": id, "MaxResults": size });
        let mut rows = Vec::new();
        loop {
            let page = done(&served, "GetQueryResults", body.clone()).await;
            let found = texts(&page);
            let last = page.get("NextToken").is_none();
            assert!(found.len() == size || (last && found.len() <= size), "{}", found.len());
            rows.extend(found);
            if last {
                break;
            }
            body["NextToken"] = page["NextToken"].clone();
        }
        let column: Vec<String> = rows.into_iter().map(|row| row[0].clone().unwrap()).collect();
        let expected: Vec<String> =
            std::iter::once("n".to_owned()).chain((1..=2500).map(|n| n.to_string())).collect();
        assert_eq!(column, expected);
        // A token belongs to its result.
        let wrong = json!({ "QueryExecutionId": other, "NextToken": body["NextToken"] });
        assert_eq!(refused(&served, "GetQueryResults", wrong).await.0, "InvalidRequestException");
        served.kill().await;
        served = bench.serve().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_may_be_the_labels_alone() {
    let bench = bench().await;
    let served = bench.serve().await;
    let id = run(&served, "VALUES 'a', 'b'").await;
    let mut body = json!({ "QueryExecutionId": id, "MaxResults": 1 });
    let mut found = Vec::new();
    for _ in 0..3 {
        let page = done(&served, "GetQueryResults", body.clone()).await;
        found.extend(texts(&page));
        body["NextToken"] = page.get("NextToken").cloned().unwrap_or_default();
    }
    assert_eq!(found, [vec![text("_col0")], vec![text("a")], vec![text("b")]]);
    assert_eq!(body["NextToken"], Value::Null);
    for wrong in [json!(0), json!(1001), json!(-1), json!("1"), json!(1.5)] {
        let body = json!({ "QueryExecutionId": id, "MaxResults": wrong });
        assert_eq!(refused(&served, "GetQueryResults", body).await.0, "InvalidRequestException");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_sent_twice_is_one_query() {
    let bench = bench().await;
    let served = bench.serve().await;
    let token = "0123456789abcdef0123456789abcdef";
    let body = json!({ "QueryString": "SELECT 1", "ClientRequestToken": token });
    let first = start(&served, body.clone()).await;
    assert_eq!(start(&served, body.clone()).await, first);
    let mut other = body.clone();
    other["QueryString"] = json!("SELECT 2");
    let (name, message) = refused(&served, "StartQueryExecution", other).await;
    assert_eq!(name, "InvalidRequestException");
    assert!(message.contains("token"), "{message}");
    let mut elsewhere = body;
    elsewhere["ResultConfiguration"] = json!({ "OutputLocation": "s3://elsewhere/" });
    refused(&served, "StartQueryExecution", elsewhere).await;
    let short = json!({ "QueryString": "SELECT 1", "ClientRequestToken": "short" });
    refused(&served, "StartQueryExecution", short).await;
    let listed = done(&served, "ListQueryExecutions", json!({})).await;
    assert_eq!(listed, json!({ "QueryExecutionIds": [first] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_bound_and_never_become_sql() {
    let bench = bench().await;
    let served = bench.serve().await;
    let ask = |sql: &str, values: &[&str]| {
        rows(&served, json!({ "QueryString": sql, "ExecutionParameters": values }))
    };
    let name = "SELECT eventname FROM cloudtrail_logs WHERE eventname = ?";
    assert_eq!(ask(name, &["'GetObject'"]).await.len(), 2);
    assert_eq!(ask(name, &["GetObject"]).await.len(), 2);
    assert_eq!(ask(name, &["'x'' OR ''1''=''1'"]).await.len(), 1);
    assert_eq!(ask(name, &["x OR 1=1"]).await.len(), 1);
    let typed = ask(
        "SELECT ? + 1, ?, typeof(?), ?, CAST(? AS varchar), ?",
        &["41", "'it''s'", "DATE '2024-05-01'", "NULL", "1.50", "true"],
    );
    let expected = [text("42"), text("it's"), text("date"), None, text("1.50"), text("true")];
    assert_eq!(typed.await[1], expected);
    let body = json!({ "QueryString": "SELECT ?", "ExecutionParameters": ["concat('a', 'b')"] });
    assert_eq!(refused(&served, "StartQueryExecution", body).await.0, "InvalidRequestException");
    let id = start(&served, json!({ "QueryString": "SELECT ?" })).await;
    assert_eq!(over(&served, &id).await["Status"]["State"], "FAILED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_a_store_or_the_default_one() {
    let bench = bench().await;
    let more = record("00000000-0000-0000-0000-0000000000ff", "DeleteBucket");
    bench.bring_in("audit", &[more]).await;
    let served = bench.serve().await;
    for (database, expected, noted) in [
        (json!({}), "3", false),
        (json!({ "Database": "default", "Catalog": "AwsDataCatalog" }), "3", false),
        (json!({ "Database": "audit" }), "1", false),
        (json!({ "Database": "AUDIT" }), "1", false),
        (json!({ "Database": "security_lake" }), "3", true),
    ] {
        let body = json!({
            "QueryString": "SELECT count(*) AS n FROM cloudtrail_logs",
            "QueryExecutionContext": database,
        });
        let id = start(&served, body.clone()).await;
        let execution = over(&served, &id).await;
        assert_eq!(execution["QueryExecutionContext"], database);
        let note = execution["Status"]["StateChangeReason"].as_str().unwrap_or_default();
        assert_eq!(note.contains("no database `security_lake`"), noted, "{note}");
        assert_eq!(rows(&served, body).await[1], [text(expected)], "{database}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_says_why_and_what_is_stopped_stops() {
    let bench = bench().await;
    let served = bench.serve().await;
    let id = start(&served, json!({ "QueryString": "SELECT nothing FROM events" })).await;
    let status = over(&served, &id).await["Status"].clone();
    assert_eq!(status["State"], "FAILED");
    assert!(status["StateChangeReason"].as_str().unwrap().contains("nothing"), "{status}");
    assert_eq!(status["AthenaError"]["ErrorCategory"], 2);
    assert_eq!(status["AthenaError"]["Retryable"], false);
    assert!(status["CompletionDateTime"].as_f64() >= status["SubmissionDateTime"].as_f64());
    let (name, message) =
        refused(&served, "GetQueryResults", json!({ "QueryExecutionId": id })).await;
    assert_eq!(name, "InvalidRequestException");
    assert!(message.contains("FAILED"), "{message}");
    let endless = "SELECT count(*) FROM UNNEST(sequence(1, 10000)) AS a(x) \
         CROSS JOIN UNNEST(sequence(1, 10000)) AS b(y) \
         CROSS JOIN UNNEST(sequence(1, 10000)) AS c(z) \
         WHERE x + y * z < 0";
    let id = start(&served, json!({ "QueryString": endless })).await;
    let (_, message) = refused(&served, "GetQueryResults", json!({ "QueryExecutionId": id })).await;
    assert!(message.contains("not yet finished"), "{message}");
    assert_eq!(
        done(&served, "StopQueryExecution", json!({ "QueryExecutionId": id })).await,
        json!({})
    );
    let execution = over(&served, &id).await;
    assert_eq!(execution["Status"]["State"], "CANCELLED", "{execution}");
    // What is over stays as it is.
    done(&served, "StopQueryExecution", json!({ "QueryExecutionId": id })).await;
    assert_eq!(over(&served, &id).await["Status"]["State"], "CANCELLED");
    let missing = json!({ "QueryExecutionId": "00000000-0000-0000-0000-000000000000" });
    for operation in ["GetQueryExecution", "GetQueryResults", "StopQueryExecution"] {
        let (name, message) = refused(&served, operation, missing.clone()).await;
        assert_eq!(name, "InvalidRequestException");
        assert!(message.contains("was not found"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_listed_newest_first_by_workgroup() {
    let bench = bench().await;
    let served = bench.serve().await;
    let mut ids = Vec::new();
    for i in 0..7 {
        let group = if i % 2 == 0 { "primary" } else { "audit" };
        let body = json!({ "QueryString": format!("SELECT {i}"), "WorkGroup": group });
        let id = start(&served, body).await;
        over(&served, &id).await;
        ids.push(id);
    }
    let mut body = json!({ "MaxResults": 3, "WorkGroup": "primary" });
    let first = done(&served, "ListQueryExecutions", body.clone()).await;
    assert_eq!(first["QueryExecutionIds"], json!([ids[6], ids[4], ids[2]]));
    // What is asked meanwhile shifts nothing.
    run(&served, "SELECT 'later'").await;
    body["NextToken"] = first["NextToken"].clone();
    let second = done(&served, "ListQueryExecutions", body).await;
    assert_eq!(second, json!({ "QueryExecutionIds": [ids[0]] }));
    let audit = done(&served, "ListQueryExecutions", json!({ "WorkGroup": "audit" })).await;
    assert_eq!(audit["QueryExecutionIds"], json!([ids[5], ids[3], ids[1]]));
    let batch = json!({ "QueryExecutionIds": [ids[1], "no-such-id", ids[0]] });
    let batch = done(&served, "BatchGetQueryExecution", batch).await;
    assert_eq!(batch["QueryExecutions"][0]["WorkGroup"], "audit");
    assert_eq!(batch["QueryExecutions"][1]["Query"], "SELECT 0");
    assert_eq!(batch["UnprocessedQueryExecutionIds"][0]["QueryExecutionId"], "no-such-id");
    let statistics = json!({ "QueryExecutionId": ids[0] });
    let statistics = done(&served, "GetQueryRuntimeStatistics", statistics).await;
    assert_eq!(statistics["QueryRuntimeStatistics"]["Rows"]["OutputRows"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_nobody_elses() {
    let bench = bench().await;
    let (ada, bob) = (bench.token("ada", None), bench.token("bob", None));
    let mut served = bench.serve_with(|_| {}).await;
    served.token = Some(ada);
    let id = run(&served, "SELECT 'secret'").await;
    let path = format!("/traillake_results/{id}.csv");
    assert_eq!(request(&served, "GET", &path, &[], "").await.status, 200);
    served.token = Some(bob);
    let body = json!({ "QueryExecutionId": id });
    let of_query =
        ["GetQueryExecution", "GetQueryResults", "StopQueryExecution", "GetQueryRuntimeStatistics"];
    for operation in of_query {
        let (name, message) = refused(&served, operation, body.clone()).await;
        assert_eq!(name, "InvalidRequestException", "{operation}");
        assert!(message.contains("was not found"), "{message}");
    }
    let batch = json!({ "QueryExecutionIds": [id] });
    let batch = done(&served, "BatchGetQueryExecution", batch).await;
    assert_eq!(batch["QueryExecutions"], json!([]));
    let listed = done(&served, "ListQueryExecutions", json!({})).await;
    assert_eq!(listed["QueryExecutionIds"], json!([]));
    let other = request(&served, "GET", &path, &[], "").await;
    assert_eq!(other.status, 404);
    assert!(other.text().contains("<Code>NoSuchKey</Code>"));
    assert_eq!(request(&served, "DELETE", &path, &[], "").await.status, 204);
    served.token = None;
    let nobody = request(&served, "GET", &path, &[], "").await;
    assert_eq!(nobody.status, 403);
    assert!(nobody.text().contains("<Code>AccessDenied</Code>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_shows_the_stores() {
    let bench = bench().await;
    bench.bring_in("audit", &[record("00000000-0000-0000-0000-0000000000ff", "X")]).await;
    let served = bench.serve().await;
    let catalogs = done(&served, "ListDataCatalogs", json!({})).await;
    assert_eq!(catalogs["DataCatalogsSummary"][0]["CatalogName"], "AwsDataCatalog");
    let catalog = done(&served, "GetDataCatalog", json!({ "Name": "awsdatacatalog" })).await;
    assert_eq!(catalog["DataCatalog"]["Type"], "GLUE");
    let all = json!({ "CatalogName": "AwsDataCatalog", "MaxResults": 1 });
    let first = done(&served, "ListDatabases", all.clone()).await;
    let mut more = all;
    more["NextToken"] = first["NextToken"].clone();
    let second = done(&served, "ListDatabases", more).await;
    let name = |page: &Value| page["DatabaseList"][0]["Name"].clone();
    assert_eq!([name(&first), name(&second)], [json!("audit"), json!("default")]);
    assert!(second.get("NextToken").is_none());

    let audit = json!({ "CatalogName": "AwsDataCatalog", "DatabaseName": "audit" });
    let table = |name: &str| {
        let mut body = audit.clone();
        body["TableName"] = json!(name);
        body
    };
    let events = done(&served, "GetTableMetadata", table("events")).await;
    let column = |wanted: &str| {
        let columns = events["TableMetadata"]["Columns"].as_array().unwrap();
        let found = columns.iter().find(|column| column["Name"] == wanted);
        found.map(|column| column["Type"].as_str().unwrap().to_owned())
    };
    assert_eq!(column("eventtime").as_deref(), Some("timestamp"));
    assert_eq!(column("readonly").as_deref(), Some("boolean"));
    assert_eq!(column("requestparameters").as_deref(), Some("map<string,string>"));
    assert!(column("resources").unwrap().starts_with("array<struct<"));
    assert!(column("useridentity").unwrap().contains(",creationdate:timestamp>,"));
    assert_eq!(column("eventjson"), None, "`*` does not show it");
    let logs = done(&served, "GetTableMetadata", table("CLOUDTRAIL_LOGS")).await;
    assert_eq!(logs["TableMetadata"]["Name"], "cloudtrail_logs");
    assert_eq!(logs["TableMetadata"]["TableType"], "EXTERNAL_TABLE");

    let listed = |expression: &str| {
        let mut body = json!({ "CatalogName": "AwsDataCatalog", "DatabaseName": "default" });
        body["Expression"] = json!(expression);
        done(&served, "ListTableMetadata", body)
    };
    let names = |page: Value| {
        let tables = page["TableMetadataList"].as_array().unwrap().clone();
        tables.iter().map(|t| t["Name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(listed("*trail*").await), ["cloudtrail_logs"]);
    assert!(names(listed("").await).contains(&"events".to_owned()));
    for (operation, body) in [
        ("GetTableMetadata", table("nothing")),
        ("GetDatabase", json!({ "CatalogName": "AwsDataCatalog", "DatabaseName": "nothing" })),
        (
            "ListTableMetadata",
            json!({ "CatalogName": "AwsDataCatalog", "DatabaseName": "nothing" }),
        ),
    ] {
        let (name, message) = refused(&served, operation, body).await;
        assert_eq!(name, "MetadataException");
        assert!(message.contains("Error Code: EntityNotFoundException"), "{message}");
    }
    let elsewhere = json!({ "CatalogName": "elsewhere" });
    assert_eq!(refused(&served, "ListDatabases", elsewhere).await.0, "InvalidRequestException");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_may_not_be_seen_is_not_there() {
    let bench = bench().await;
    bench.bring_in("audit", &[record("00000000-0000-0000-0000-0000000000ff", "X")]).await;
    let token = bench.token("eve", Some(&["default"]));
    let mut served = bench.serve_with(|_| {}).await;
    served.token = Some(token);
    let all = done(&served, "ListDatabases", json!({ "CatalogName": "AwsDataCatalog" })).await;
    assert_eq!(all["DatabaseList"].as_array().unwrap().len(), 1, "{all}");
    let body = json!({ "CatalogName": "AwsDataCatalog", "DatabaseName": "audit" });
    assert_eq!(refused(&served, "GetDatabase", body).await.0, "MetadataException");
    let body = json!({
        "QueryString": "SELECT count(*) AS n FROM events",
        "QueryExecutionContext": {"Database": "audit"},
    });
    assert_eq!(rows(&served, body).await[1], [text("3")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn workgroups_are_names() {
    let bench = bench().await;
    let served = bench.serve().await;
    let groups = done(&served, "ListWorkGroups", json!({})).await;
    assert_eq!(groups["WorkGroups"][0]["Name"], "primary");
    for (name, managed) in [("primary", false), ("security-team", false), ("managed", true)] {
        let found = done(&served, "GetWorkGroup", json!({ "WorkGroup": name })).await;
        let configuration = &found["WorkGroup"]["Configuration"];
        assert_eq!(found["WorkGroup"]["Name"], name);
        assert_eq!(configuration["ManagedQueryResultsConfiguration"]["Enabled"], managed);
        assert_eq!(configuration["EnforceWorkGroupConfiguration"], false);
        for output in [json!({}), json!({ "OutputLocation": "s3://my-bucket/" })] {
            let body = json!({
                "QueryString": "SELECT 1",
                "WorkGroup": name,
                "ResultConfiguration": output,
            });
            let id = start(&served, body).await;
            let execution = over(&served, &id).await;
            assert_eq!(execution.get("ResultConfiguration").is_none(), managed, "{execution}");
        }
    }
    refused(&served, "GetWorkGroup", json!({ "WorkGroup": "no name" })).await;
    let versions = done(&served, "ListEngineVersions", json!({})).await;
    let first = &versions["EngineVersions"][0];
    assert_eq!(first["EffectiveEngineVersion"], "Athena engine version 3");
    let (status, answer) = call(&served, "CreateWorkGroup", &json!({})).await;
    assert_eq!((status, answer["__type"].as_str()), (400, Some("InvalidRequestException")));
}
