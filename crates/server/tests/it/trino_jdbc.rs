//! What Trino's JDBC driver asks of its own accord: the calls of `java.sql.DatabaseMetaData`, each as
//! one statement over `system.jdbc`, and whether a connection is alive.

use serde_json::Value;

use crate::trino_rest::{Client, bench};

/// The tables that the calls ask, with the columns that the interface prescribes, what follows them,
/// and whether there are rows.
const CALLS: [(&str, &str, &str, bool); 13] = [
    ("catalogs", "TABLE_CAT", "ORDER BY TABLE_CAT", true),
    ("schemas", "TABLE_SCHEM, TABLE_CATALOG", "ORDER BY TABLE_CATALOG, TABLE_SCHEM", true),
    (
        "tables",
        "TABLE_CAT, TABLE_SCHEM, TABLE_NAME, TABLE_TYPE, REMARKS, TYPE_CAT, TYPE_SCHEM, TYPE_NAME, \
         SELF_REFERENCING_COL_NAME, REF_GENERATION",
        "WHERE TABLE_CAT = 'traillake' AND TABLE_SCHEM LIKE 'default' ESCAPE '\\' AND TABLE_NAME \
         LIKE '%' ESCAPE '\\' AND TABLE_TYPE IN ('TABLE', 'VIEW') \
         ORDER BY TABLE_TYPE, TABLE_CAT, TABLE_SCHEM, TABLE_NAME",
        true,
    ),
    ("table_types", "TABLE_TYPE", "ORDER BY TABLE_TYPE", true),
    (
        "columns",
        "TABLE_CAT, TABLE_SCHEM, TABLE_NAME, COLUMN_NAME, DATA_TYPE, TYPE_NAME, COLUMN_SIZE, \
         BUFFER_LENGTH, DECIMAL_DIGITS, NUM_PREC_RADIX, NULLABLE, REMARKS, COLUMN_DEF, \
         SQL_DATA_TYPE, SQL_DATETIME_SUB, CHAR_OCTET_LENGTH, ORDINAL_POSITION, IS_NULLABLE, \
         SCOPE_CATALOG, SCOPE_SCHEMA, SCOPE_TABLE, SOURCE_DATA_TYPE, IS_AUTOINCREMENT, \
         IS_GENERATEDCOLUMN",
        "WHERE TABLE_CAT = 'traillake' AND TABLE_SCHEM LIKE 'default' ESCAPE '\\' AND TABLE_NAME \
         LIKE 'cloudtrail\\_logs' ESCAPE '\\' AND COLUMN_NAME LIKE '%' ESCAPE '\\' \
         ORDER BY TABLE_CAT, TABLE_SCHEM, TABLE_NAME, ORDINAL_POSITION",
        true,
    ),
    (
        "types",
        "TYPE_NAME, DATA_TYPE, PRECISION, LITERAL_PREFIX, LITERAL_SUFFIX, CREATE_PARAMS, NULLABLE, \
         CASE_SENSITIVE, SEARCHABLE, UNSIGNED_ATTRIBUTE, FIXED_PREC_SCALE, AUTO_INCREMENT, \
         LOCAL_TYPE_NAME, MINIMUM_SCALE, MAXIMUM_SCALE, SQL_DATA_TYPE, SQL_DATETIME_SUB, \
         NUM_PREC_RADIX",
        "ORDER BY DATA_TYPE",
        true,
    ),
    (
        "procedures",
        "PROCEDURE_CAT, PROCEDURE_SCHEM, PROCEDURE_NAME, null, null, null, REMARKS, \
         PROCEDURE_TYPE, SPECIFIC_NAME",
        "ORDER BY PROCEDURE_CAT, PROCEDURE_SCHEM, PROCEDURE_NAME, SPECIFIC_NAME LIMIT 0",
        false,
    ),
    (
        "procedure_columns",
        "PROCEDURE_CAT, PROCEDURE_SCHEM, PROCEDURE_NAME, COLUMN_NAME, COLUMN_TYPE, DATA_TYPE, \
         TYPE_NAME, PRECISION, LENGTH, SCALE, RADIX, NULLABLE, REMARKS, COLUMN_DEF, SQL_DATA_TYPE, \
         SQL_DATETIME_SUB, CHAR_OCTET_LENGTH, ORDINAL_POSITION, IS_NULLABLE, SPECIFIC_NAME",
        "ORDER BY PROCEDURE_CAT, PROCEDURE_SCHEM, PROCEDURE_NAME, SPECIFIC_NAME, COLUMN_NAME LIMIT 0",
        false,
    ),
    (
        "udts",
        "TYPE_CAT, TYPE_SCHEM, TYPE_NAME, CLASS_NAME, DATA_TYPE, REMARKS, BASE_TYPE",
        "ORDER BY DATA_TYPE, TYPE_CAT, TYPE_SCHEM, TYPE_NAME LIMIT 0",
        false,
    ),
    (
        "super_types",
        "TYPE_CAT, TYPE_SCHEM, TYPE_NAME, SUPERTYPE_CAT, SUPERTYPE_SCHEM, SUPERTYPE_NAME",
        "ORDER BY TYPE_CAT, TYPE_SCHEM, TYPE_NAME LIMIT 0",
        false,
    ),
    (
        "super_tables",
        "TABLE_CAT, TABLE_SCHEM, TABLE_NAME, SUPERTABLE_NAME",
        "ORDER BY TABLE_CAT, TABLE_SCHEM, TABLE_NAME LIMIT 0",
        false,
    ),
    (
        "attributes",
        "TYPE_CAT, TYPE_SCHEM, TYPE_NAME, ATTR_NAME, DATA_TYPE, ATTR_TYPE_NAME, ATTR_SIZE, \
         DECIMAL_DIGITS, NUM_PREC_RADIX, NULLABLE, REMARKS, ATTR_DEF, SQL_DATA_TYPE, \
         SQL_DATETIME_SUB, CHAR_OCTET_LENGTH, ORDINAL_POSITION, IS_NULLABLE, SCOPE_CATALOG, \
         SCOPE_SCHEMA, SCOPE_TABLE, SOURCE_DATA_TYPE",
        "ORDER BY TYPE_CAT, TYPE_SCHEM, TYPE_NAME, ORDINAL_POSITION LIMIT 0",
        false,
    ),
    (
        "pseudo_columns",
        "TABLE_CAT, TABLE_SCHEM, TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_SIZE, DECIMAL_DIGITS, \
         NUM_PREC_RADIX, COLUMN_USAGE, REMARKS, CHAR_OCTET_LENGTH, IS_NULLABLE",
        "ORDER BY TABLE_CAT, TABLE_SCHEM, TABLE_NAME, COLUMN_NAME LIMIT 0",
        false,
    ),
];

#[tokio::test]
async fn every_call_for_metadata_has_its_columns() {
    let bench = bench().await;
    let served = bench.serve().await;
    let client = Client::of(&served).with("X-Trino-Schema", "default");
    for (table, columns, rest, has_rows) in CALLS {
        let sql = format!("SELECT {columns}\nFROM system.jdbc.{table}\n{rest}");
        let page = client.ask(&sql).await;
        assert!(page["error"].is_null(), "{sql}: {}", page["error"]);
        let told = page["columns"].as_array().unwrap_or_else(|| panic!("{sql}: {page}"));
        let told: Vec<&str> = told.iter().map(|told| told["name"].as_str().unwrap()).collect();
        let asked: Vec<&str> = columns.split(", ").collect();
        assert_eq!(told.len(), asked.len(), "{sql}: {told:?}");
        for (told, asked) in told.into_iter().zip(asked) {
            let named = asked == "null" || told.eq_ignore_ascii_case(asked);
            assert!(named, "{table}: `{told}` instead of `{asked}`");
        }
        let rows = page["data"].as_array().map_or(0, Vec::len);
        assert_eq!(rows > 0, has_rows, "{sql}: {rows} rows");
    }
    // Primary keys are asked of no table.
    let keys = "SELECT CAST(NULL AS varchar) TABLE_CAT, CAST(NULL AS smallint) KEY_SEQ WHERE false";
    assert_eq!(client.rows(keys).await, Value::Array(Vec::new()));
    // DBeaver shows what this says where the DDL of a table would stand.
    let shown = client.ask("SHOW CREATE TABLE traillake.\"default\".events").await;
    assert!(shown["error"]["message"].is_string(), "{shown}");
}

/// With `validateConnection=true` the driver asks so whether the server and its credentials are good,
/// at first and whenever a pool wants to know.
#[tokio::test]
async fn a_connection_is_asked_whether_it_is_alive() {
    let bench = bench().await;
    let token = bench.token("alice", None);
    let served = bench.serve_with(|_| ()).await;
    for (token, status) in [(token.as_str(), 200), ("tl_none_none", 401)] {
        let reply = Client::known(&served, token).send("HEAD", "/v1/statement", b"").await;
        assert_eq!((reply.status, reply.body.as_str()), (status, ""), "{}", reply.head);
    }
}
