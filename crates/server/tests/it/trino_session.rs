//! Sessions, prepared statements, values and what drivers ask about tables.

use serde_json::{Value, json};

use crate::trino_rest::{Client, ENDLESS, bench};

#[tokio::test]
async fn statements_about_the_session_change_it_in_their_answer() {
    let bench = bench().await;
    let served = bench.serve().await;
    let client = Client::of(&served).with("X-Trino-Prepared-Statement", "q=SELECT+1");
    for (sql, update_type, header) in [
        ("USE default", "USE", "x-trino-set-schema: default"),
        ("use TRAILLAKE.\"default\";", "USE", "x-trino-set-catalog: traillake"),
        (
            "SET SESSION query_max_run_time = '10m'",
            "SET SESSION",
            "x-trino-set-session: query_max_run_time=10m",
        ),
        ("SET SESSION a.b = 'x, y=z'", "SET SESSION", "x-trino-set-session: a.b=x%2C+y%3Dz"),
        ("RESET SESSION a.b", "RESET SESSION", "x-trino-clear-session: a.b"),
        (
            "PREPARE \"my q\" FROM SELECT 'a', ?",
            "PREPARE",
            "x-trino-added-prepare: my+q=SELECT+%27a%27%2C+%3F",
        ),
        ("DEALLOCATE PREPARE q", "DEALLOCATE", "x-trino-deallocated-prepare: q"),
        ("START TRANSACTION READ ONLY", "START TRANSACTION", "x-trino-started-transaction-id: "),
    ] {
        let reply = client.send("POST", "/v1/statement", sql.as_bytes()).await;
        assert!(reply.head.contains(header), "{sql}: {}", reply.head);
        assert_eq!(reply.json()["updateType"], update_type, "{sql}");
        assert!(reply.json()["nextUri"].is_null(), "{sql}");
    }
    let within = client.clone().with("X-Trino-Transaction-Id", "7");
    let reply = within.send("POST", "/v1/statement", b"COMMIT WORK").await;
    assert_eq!(reply.header("x-trino-clear-transaction-id"), ["true"]);
    let shown = client.with("X-Trino-Session", "query_max_run_time=10m,mine=1");
    let shown = shown.rows("SHOW SESSION").await;
    assert_eq!((&shown[0][1], &shown[2][0]), (&json!("10m"), &json!("mine")), "{shown}");
}

#[tokio::test]
async fn a_query_is_killed_by_its_id_by_whoever_asked_it() {
    let bench = bench().await;
    let (ana, ben) = (bench.token("ana", None), bench.token("ben", None));
    let served = bench.serve_with(|_| ()).await;
    let (ana, ben) = (Client::known(&served, &ana), Client::known(&served, &ben));
    let call = |id: &str| format!("CALL system.runtime.kill_query('{id}', 'enough')");
    for named in [false, true] {
        let posted = ana.post(ENDLESS).await;
        let mut page = ana.get(&posted).await;
        let id = posted["id"].as_str().unwrap();
        let killed = match named {
            // As Superset writes it.
            true => format!(
                "CALL system.runtime.kill_query(query_id => '{id}',message => 'Query cancelled by \
                 Superset')"
            ),
            false => call(id),
        };
        assert_eq!(ben.ask(&killed).await["error"]["errorName"], "NOT_FOUND", "{killed}");
        let done = ana.ask(&killed).await;
        assert_eq!((&done["error"], &done["updateType"]), (&Value::Null, &json!("CALL")), "{done}");
        while !page["nextUri"].is_null() {
            page = ana.get(&page).await;
        }
        assert_eq!(page["error"]["errorName"], "USER_CANCELED", "{page}");
        let again = ana.ask(&killed).await;
        assert_eq!(again["error"]["errorName"], "NOT_SUPPORTED", "{again}");
    }
    for id in ["20260101_000000_00000_abcde", "00000000-0000-4000-8000-000000000000"] {
        assert_eq!(ana.ask(&call(id)).await["error"]["errorName"], "NOT_FOUND", "{id}");
    }
    let other = ana.ask("CALL system.sync_partition_metadata('a')").await;
    assert_eq!(other["error"]["errorName"], "NOT_SUPPORTED", "{other}");
}

#[tokio::test]
async fn bare_names_are_those_of_a_schema_that_is_no_store() {
    let bench = bench().await;
    let served = bench.serve().await;
    let of_schema = |schema: &str| Client::of(&served).with("X-Trino-Schema", schema);
    for (schema, sql, expected) in [
        ("system", "SELECT count(*) FROM objects", 1),
        ("SYSTEM", "SELECT sum(records) FROM objects", 3),
        ("system", "WITH objects AS (SELECT 7 AS one) SELECT one FROM objects", 7),
        ("information_schema", "SELECT count(*) FROM tables WHERE table_name = 'events'", 1),
        // What the schema has not is looked for in the store, as before.
        ("system", "SELECT count(*) FROM events", 3),
        ("information_schema", "SELECT count(*) FROM cloudtrail_logs", 3),
    ] {
        let rows = of_schema(schema).rows(sql).await;
        assert_eq!(rows, json!([[expected]]), "{schema}: {sql}");
    }
    for (schema, table, stands) in [
        ("system", "objects", true),
        ("system", "events", false),
        ("information_schema", "columns", true),
        ("default", "events", true),
    ] {
        let client = of_schema(schema);
        let shown = client.rows("SHOW TABLES").await;
        let found = shown.as_array().unwrap().contains(&json!([table]));
        assert_eq!(found, stands, "{schema}: {shown}");
        let described = client.ask(&format!("DESCRIBE {table}")).await;
        assert!(described["error"].is_null(), "{schema}: {described}");
    }
    let unknown = of_schema("default").ask("SELECT count(*) FROM objects").await;
    assert_eq!(unknown["error"]["errorName"], "TABLE_NOT_FOUND", "{unknown}");
}

#[tokio::test]
async fn hints_are_for_who_asks_and_not_for_the_command_line() {
    let bench = bench().await;
    let served = bench.serve_with(|options| {
        options.no_auth = true;
        options.rows_max = Some(2);
    });
    let served = served.await;
    let client = Client::of(&served);
    for (sql, hints) in [
        ("SELECT eventID FROM events", true),
        ("CREATE TABLE s AS SELECT 1", false),
        ("CREATE TABLE s (x bigint)", false),
        ("SELECT * FROM events FOR VERSION AS OF 1", false),
        ("SELECT evntName FROM events", true),
    ] {
        let message = client.ask(sql).await["error"]["message"].as_str().unwrap().to_owned();
        assert_eq!(message.contains("hint: "), hints, "{sql}: {message}");
        let of_command_line = ["`--", "traillake query", "traillake.toml"];
        assert!(!of_command_line.iter().any(|word| message.contains(word)), "{sql}: {message}");
    }
    let (status, answer) = served.get("/v1/query?sql=SELECT+eventID+FROM+events&rows_max=1").await;
    let hint = answer["error"]["hint"].as_str().unwrap();
    assert_eq!((status, hint.contains("add a LIMIT")), (422, true), "{hint}");
    assert!(!hint.contains("--"), "{hint}");
}

#[tokio::test]
async fn parameters_are_bound_and_never_pasted() {
    let bench = bench().await;
    let served = bench.serve().await;
    let client = Client::of(&served);
    for (sql, expected) in [
        ("EXECUTE IMMEDIATE 'SELECT ?' USING 'it''s -- ? ; DROP'", json!([["it's -- ? ; DROP"]])),
        ("EXECUTE IMMEDIATE 'SELECT ?, ?' USING -5, 2.50", json!([[-5, "2.50"]])),
        ("EXECUTE IMMEDIATE 'SELECT ?' USING nan()", json!([["NaN"]])),
        ("EXECUTE IMMEDIATE 'SELECT ?' USING DATE '2024-05-01'", json!([["2024-05-01"]])),
        ("EXECUTE IMMEDIATE 'SELECT ?' USING X'00ff'", json!([["AP8="]])),
        ("EXECUTE IMMEDIATE 'SELECT ?' USING ARRAY[1, 2]", json!([[[1, 2]]])),
        ("EXECUTE IMMEDIATE 'SELECT ?' USING ARRAY['a', NULL]", json!([[["a", null]]])),
        ("EXECUTE IMMEDIATE 'SELECT ?' USING MAP(ARRAY['a'], ARRAY[1])", json!([[{"a": 1}]])),
        ("EXECUTE IMMEDIATE 'SELECT ?' USING ROW(1, 'x')", json!([[[1, "x"]]])),
        (
            "EXECUTE IMMEDIATE 'SELECT ?' USING TIMESTAMP '2024-05-01 10:00:00.123456'",
            json!([["2024-05-01 10:00:00.123456"]]),
        ),
        (
            "EXECUTE IMMEDIATE 'SELECT count(*) FROM events WHERE eventTime > ? AND eventName = ? \
             LIMIT ?' USING TIMESTAMP '2024-05-01 10:00:01', 'GetObject', 5",
            json!([[1]]),
        ),
        ("EXECUTE IMMEDIATE 'SELECT 1'", json!([[1]])),
    ] {
        assert_eq!(client.rows(sql).await, expected, "{sql}");
    }
    let sql = "q=SELECT+eventName%2C+%3F+AS+%22p%22+FROM+events+WHERE+eventID+%3D+%3F";
    let client = client.with("X-Trino-Prepared-Statement", sql);
    assert_eq!(client.rows("EXECUTE q USING 7, 'e2'").await, json!([["PutObject", 7]]));
    assert_eq!(client.rows("DESCRIBE INPUT q").await, json!([[0, "unknown"], [1, "unknown"]]));
    let output = client.rows("DESCRIBE OUTPUT q").await;
    assert_eq!(
        (&output[0][0], &output[0][4]),
        (&json!("eventName"), &json!("varchar")),
        "{output}"
    );
}

#[tokio::test]
async fn values_are_written_as_trino_writes_them() {
    let bench = bench().await;
    let served = bench.serve().await;
    let client = Client::of(&served);
    for (sql, kind, expected) in [
        ("true", "boolean", json!(true)),
        ("CAST(9007199254740993 AS bigint)", "bigint", json!(9_007_199_254_740_993_i64)),
        ("CAST(1.5 AS double)", "double", json!(1.5)),
        ("-infinity()", "double", json!("-Infinity")),
        ("CAST('-1.20' AS decimal(5, 2))", "decimal(5,2)", json!("-1.20")),
        ("DATE '2024-02-29'", "date", json!("2024-02-29")),
        ("TIMESTAMP '2024-05-01 10:00:00.1'", "timestamp(3)", json!("2024-05-01 10:00:00.100")),
        (
            "CAST('2024-05-01 10:00:00 UTC' AS timestamp(3) with time zone)",
            "timestamp(3) with time zone",
            json!("2024-05-01 10:00:00.000 UTC"),
        ),
        ("X'00ff'", "varbinary", json!("AP8=")),
        ("ARRAY['a', NULL]", "array(varchar)", json!(["a", null])),
        ("MAP(ARRAY[1], ARRAY['x'])", "map(bigint, varchar)", json!({"1": "x"})),
        (
            "CAST(ROW(1, 'x') AS ROW(n bigint, \"a b\" varchar))",
            "row(n bigint, \"a b\" varchar)",
            json!([1, "x"]),
        ),
        ("json_parse('{\"a\": 1}')", "json", json!("{\"a\":1}")),
        ("'ü \"q\" \u{1}'", "varchar", json!("ü \"q\" \u{1}")),
        ("NULL", "unknown", Value::Null),
        ("INTERVAL '25' HOUR", "interval day to second", json!("1 01:00:00.000")),
        (
            "(SELECT requestParameters FROM events WHERE eventID = 'e1')",
            "map(varchar, varchar)",
            json!({"bucketName": "Bücher \"1\"", "n": null}),
        ),
    ] {
        let page = client.ask(&format!("SELECT {sql} AS v")).await;
        assert_eq!(page["data"], json!([[expected]]), "{sql}: {page}");
        let column = &page["columns"][0];
        assert_eq!((&column["name"], &column["type"]), (&json!("v"), &json!(kind)), "{sql}");
    }
    let signature = |page: &Value| page["columns"][0]["typeSignature"].clone();
    let page =
        client.ask("SELECT CAST(ROW(1, ARRAY['x']) AS ROW(n bigint, t array(varchar)))").await;
    let varchar =
        json!({"rawType": "varchar", "arguments": [{"kind": "LONG", "value": 2147483647}]});
    let expected = json!({"rawType": "row", "arguments": [
        {"kind": "NAMED_TYPE", "value": {
            "fieldName": {"name": "n"},
            "typeSignature": {"rawType": "bigint", "arguments": []},
        }},
        {"kind": "NAMED_TYPE", "value": {
            "fieldName": {"name": "t"},
            "typeSignature": {"rawType": "array", "arguments": [
                {"kind": "TYPE", "value": varchar},
            ]},
        }},
    ]});
    assert_eq!(signature(&page), expected);
    // A client of old knows of no precision.
    let mut old = client;
    old.headers.retain(|(name, _)| !name.contains("Capabilities"));
    let page = old.ask("SELECT CAST('2024-05-01 10:00:00.123456' AS timestamp(6))").await;
    assert_eq!(page["data"], json!([["2024-05-01 10:00:00.123"]]));
    assert_eq!(signature(&page), json!({"rawType": "timestamp", "arguments": []}));
}

#[tokio::test]
async fn drivers_find_the_tables() {
    let bench = bench().await;
    let served = bench.serve().await;
    let client = Client::of(&served).with("X-Trino-Schema", "default");
    for (sql, expected) in [
        (
            "SELECT current_user, current_catalog, current_schema",
            json!(["ana", "traillake", "default"]),
        ),
        ("SELECT TABLE_CAT\nFROM system.jdbc.catalogs\nORDER BY TABLE_CAT", json!(["traillake"])),
        (
            "SELECT TABLE_SCHEM, TABLE_CATALOG\nFROM system.jdbc.schemas\nWHERE TABLE_CATALOG = \
             'traillake' AND TABLE_SCHEM LIKE 'def%' ESCAPE '\\'\nORDER BY TABLE_CATALOG",
            json!(["default", "traillake"]),
        ),
        (
            "SELECT TABLE_CAT, TABLE_SCHEM, TABLE_NAME, TABLE_TYPE, REMARKS \
             FROM system.jdbc.tables WHERE TABLE_CAT = 'traillake' AND TABLE_SCHEM LIKE 'default' \
             ESCAPE '\\' AND TABLE_NAME LIKE 'events' ESCAPE '\\' AND TABLE_TYPE IN ('TABLE', 'VIEW') ORDER BY TABLE_TYPE",
            json!(["traillake", "default", "events", "TABLE", null]),
        ),
        (
            "SELECT COLUMN_NAME, DATA_TYPE, TYPE_NAME, COLUMN_SIZE, ORDINAL_POSITION FROM \
             system.jdbc.columns WHERE TABLE_NAME = 'events' AND COLUMN_NAME = 'eventName'",
            json!(["eventName", 12, "varchar", 2_147_483_647, 5]),
        ),
        (
            "SELECT \"column_name\", \"data_type\", \"column_default\", UPPER(\"is_nullable\") AS \
             \"is_nullable\", \"comment\" FROM \"information_schema\".\"columns\" WHERE \
             \"table_schema\" = 'default' AND \"table_name\" = 'events' \
             AND column_name = 'readOnly'",
            json!(["readOnly", "boolean", null, "YES", null]),
        ),
        (
            "SELECT TYPE_NAME, DATA_TYPE FROM system.jdbc.types WHERE TYPE_NAME = 'double'",
            json!(["double", 8]),
        ),
        ("SELECT state FROM system.runtime.nodes", json!(["active"])),
        (
            "SELECT state, \"user\", query FROM system.runtime.queries WHERE query LIKE '%types%'",
            json!(["FINISHED", "ana"]),
        ),
    ] {
        let rows = client.rows(sql).await;
        let expected = expected.as_array().unwrap();
        let row = rows[0].as_array().unwrap_or_else(|| panic!("{sql}: {rows}"));
        assert_eq!(rows.as_array().map(Vec::len), Some(1), "{sql}: {rows}");
        assert_eq!(row[..expected.len()], expected[..], "{sql}");
    }
    let version = client.rows("SELECT version()").await;
    assert!(version[0][0].as_str().unwrap().contains("traillake"), "{version}");
    for sql in [
        "SELECT PROCEDURE_CAT, null FROM system.jdbc.procedures ORDER BY PROCEDURE_CAT LIMIT 0",
        "SELECT TYPE_CAT, DATA_TYPE FROM system.jdbc.udts ORDER BY DATA_TYPE LIMIT 0",
        "SELECT * FROM traillake.information_schema.views",
        "SELECT role_name FROM information_schema.enabled_roles",
    ] {
        assert_eq!(client.rows(sql).await, json!([]), "{sql}");
    }
    for sql in [
        "SHOW CATALOGS",
        "SHOW SCHEMAS FROM traillake",
        "SHOW TABLES FROM \"traillake\".\"default\"",
        "SHOW COLUMNS FROM traillake.default.events",
        "DESCRIBE events",
        "SHOW FUNCTIONS",
        "SELECT * FROM system.metadata.table_comments",
        "EXPLAIN SELECT * FROM events",
    ] {
        assert!(!client.rows(sql).await.as_array().unwrap().is_empty(), "{sql}");
    }
}
