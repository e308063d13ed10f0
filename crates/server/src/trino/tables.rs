//! The tables that drivers ask, each as a query over the engine's `information_schema`.
//!
//! Their columns are those of Trino's `system` connector; the codes of types are those of
//! `java.sql.Types`.

use std::sync::LazyLock;

/// A table that drivers ask.
pub(super) struct Table {
    /// Its schema in the catalog `system`; `information_schema` in any.
    pub(super) schema: &'static str,
    pub(super) table: &'static str,
    /// What it is called in a statement that is run: no longer than schema and table together.
    pub(super) name: &'static str,
    /// Its rows; empty for the one that is made of the server's own state.
    pub(super) query: &'static str,
}

/// Returns the table that a name begins with, and how many of its parts name it.
pub(super) fn named(chain: &[String], in_system: bool) -> Option<(&'static Table, usize)> {
    let of = |schema: &str, name: &str| {
        TABLES.iter().find(|table| table.schema == schema && table.table == name)
    };
    let parts: Vec<&str> = chain.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["system", schema, table, ..] if of(schema, table).is_some() => {
            of(schema, table).map(|table| (table, 3))
        }
        [_, "information_schema", table, ..] if of("information_schema", table).is_some() => {
            of("information_schema", table).map(|table| (table, 3))
        }
        ["information_schema", table, ..] => {
            of("information_schema", table).map(|table| (table, 2))
        }
        [schema, table, ..] if in_system => of(schema, table).map(|table| (table, 2)),
        _ => None,
    }
}

#[cfg(test)]
pub(super) fn all() -> &'static [Table] {
    &TABLES
}

/// Before and behind the rows of `system.runtime.queries`.
pub(super) const QUERIES: (&str, &str) = (
    "SELECT CAST(a AS varchar) AS query_id, CAST(b AS varchar) AS state, \
     CAST(c AS varchar) AS \"user\", CAST(d AS varchar) AS source, CAST(e AS varchar) AS query, \
     CAST(f AS timestamp(3)) AS created, CAST(g AS timestamp(3)) AS started, \
     CAST(h AS timestamp(3)) AS \"end\", CAST(i AS varchar) AS error_type \
     FROM (VALUES ",
    ") AS q (a, b, c, d, e, f, g, h, i)",
);

macro_rules! table {
    ($schema:literal, $table:literal, $name:literal, $query:expr) => {
        Table { schema: $schema, table: $table, name: $name, query: $query }
    };
}

static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
    let mut tables = vec![
        table!("runtime", "queries", "runtime_queries", ""),
        table!("runtime", "nodes", "runtime_nodes", NODES),
        table!("metadata", "catalogs", "metadata_catalogs", METADATA_CATALOGS),
        table!("metadata", "table_comments", "metadata_table_comments", COMMENTS),
        table!("jdbc", "catalogs", "jdbc_catalogs", "SELECT 'traillake' AS table_cat"),
        table!("jdbc", "schemas", "jdbc_schemas", SCHEMAS),
        table!("jdbc", "tables", "jdbc_tables", JDBC_TABLES),
        table!("jdbc", "table_types", "jdbc_table_types", TABLE_TYPES),
        table!("jdbc", "columns", "jdbc_columns", JDBC_COLUMNS),
        table!("jdbc", "types", "jdbc_types", TYPES),
        table!("information_schema", "columns", "information_columns", COLUMNS),
    ];
    for (schema, table, name, columns) in EMPTY {
        let columns: Vec<String> = columns.split_whitespace().map(null).collect();
        let query = format!("SELECT {} WHERE false", columns.join(", "));
        // Once for the life of the program.
        tables.push(Table { schema, table, name, query: Box::leak(query.into_boxed_str()) });
    }
    tables
});

/// `name` is a varchar, `name#` a bigint.
fn null(column: &str) -> String {
    match column.strip_suffix('#') {
        Some(name) => format!("CAST(NULL AS bigint) AS {name}"),
        None => format!("CAST(NULL AS varchar) AS {column}"),
    }
}

const NODES: &str = "SELECT 'traillake' AS node_id, 'http://localhost' AS http_uri, \
    '476' AS node_version, true AS coordinator, 'active' AS state";

const METADATA_CATALOGS: &str = "SELECT 'traillake' AS catalog_name, \
    'traillake' AS connector_id, 'traillake' AS connector_name";

const COMMENTS: &str = "SELECT table_catalog AS catalog_name, table_schema AS schema_name, \
    table_name, CAST(NULL AS varchar) AS comment FROM information_schema.tables";

const SCHEMAS: &str = "SELECT schema_name AS table_schem, catalog_name AS table_catalog \
    FROM information_schema.schemata";

const JDBC_TABLES: &str = "SELECT table_catalog AS table_cat, table_schema AS table_schem, \
    table_name, 'TABLE' AS table_type, CAST(NULL AS varchar) AS remarks, \
    CAST(NULL AS varchar) AS type_cat, CAST(NULL AS varchar) AS type_schem, \
    CAST(NULL AS varchar) AS type_name, CAST(NULL AS varchar) AS self_referencing_col_name, \
    CAST(NULL AS varchar) AS ref_generation FROM information_schema.tables";

const TABLE_TYPES: &str = "SELECT t.table_type FROM (VALUES ('TABLE'), ('VIEW')) AS t (table_type)";

const COLUMNS: &str = "SELECT table_catalog, table_schema, table_name, column_name, \
    ordinal_position, CAST(NULL AS varchar) AS column_default, is_nullable, data_type, \
    CAST(NULL AS varchar) AS comment FROM information_schema.columns";

const JDBC_COLUMNS: &str = "SELECT table_catalog AS table_cat, table_schema AS table_schem, \
    table_name, column_name, CAST(CASE \
    WHEN data_type LIKE 'array(%' THEN 2003 \
    WHEN data_type LIKE 'row(%' OR data_type LIKE 'map(%' THEN 2000 \
    WHEN data_type LIKE 'timestamp%with time zone' THEN 2014 \
    WHEN data_type LIKE 'timestamp%' THEN 93 \
    WHEN data_type LIKE 'time%' THEN 92 \
    WHEN data_type LIKE 'decimal%' THEN 3 \
    WHEN data_type LIKE 'varchar%' THEN 12 \
    WHEN data_type = 'boolean' THEN 16 \
    WHEN data_type = 'bigint' THEN -5 \
    WHEN data_type = 'integer' THEN 4 \
    WHEN data_type = 'smallint' THEN 5 \
    WHEN data_type = 'tinyint' THEN -6 \
    WHEN data_type = 'real' THEN 7 \
    WHEN data_type = 'double' THEN 8 \
    WHEN data_type = 'varbinary' THEN -3 \
    WHEN data_type = 'date' THEN 91 \
    ELSE 2000 END AS bigint) AS data_type, data_type AS type_name, CAST(CASE \
    WHEN data_type LIKE 'varchar%' OR data_type = 'varbinary' THEN 2147483647 \
    WHEN data_type = 'bigint' THEN 19 \
    WHEN data_type = 'integer' THEN 10 \
    WHEN data_type = 'smallint' THEN 5 \
    WHEN data_type = 'tinyint' THEN 3 \
    WHEN data_type = 'real' THEN 24 \
    WHEN data_type = 'double' THEN 53 \
    WHEN data_type = 'date' THEN 14 \
    WHEN data_type LIKE 'timestamp%' THEN 29 \
    WHEN data_type LIKE 'time%' THEN 12 END AS bigint) AS column_size, \
    CAST(0 AS bigint) AS buffer_length, CAST(CASE \
    WHEN data_type IN ('bigint', 'integer', 'smallint', 'tinyint') THEN 0 \
    END AS bigint) AS decimal_digits, CAST(CASE \
    WHEN data_type IN ('real', 'double') THEN 2 \
    WHEN data_type IN ('bigint', 'integer', 'smallint', 'tinyint') THEN 10 \
    WHEN data_type LIKE 'decimal%' THEN 10 END AS bigint) AS num_prec_radix, \
    CAST(2 AS bigint) AS nullable, CAST(NULL AS varchar) AS remarks, \
    CAST(NULL AS varchar) AS column_def, CAST(NULL AS bigint) AS sql_data_type, \
    CAST(NULL AS bigint) AS sql_datetime_sub, CAST(CASE \
    WHEN data_type LIKE 'varchar%' THEN 2147483647 END AS bigint) AS char_octet_length, \
    ordinal_position, '' AS is_nullable, CAST(NULL AS varchar) AS scope_catalog, \
    CAST(NULL AS varchar) AS scope_schema, CAST(NULL AS varchar) AS scope_table, \
    CAST(NULL AS bigint) AS source_data_type, CAST(NULL AS varchar) AS is_autoincrement, \
    CAST(NULL AS varchar) AS is_generatedcolumn FROM information_schema.columns";

const TYPES: &str = "SELECT t.type_name, CAST(t.data_type AS bigint) AS data_type, \
    CAST(t.size AS bigint) AS \"precision\", CAST(NULL AS varchar) AS literal_prefix, \
    CAST(NULL AS varchar) AS literal_suffix, CAST(NULL AS varchar) AS create_params, \
    CAST(1 AS bigint) AS nullable, false AS case_sensitive, CAST(3 AS bigint) AS searchable, \
    CAST(NULL AS boolean) AS unsigned_attribute, false AS fixed_prec_scale, \
    CAST(NULL AS boolean) AS auto_increment, CAST(NULL AS varchar) AS local_type_name, \
    CAST(0 AS bigint) AS minimum_scale, CAST(0 AS bigint) AS maximum_scale, \
    CAST(NULL AS bigint) AS sql_data_type, CAST(NULL AS bigint) AS sql_datetime_sub, \
    CAST(t.radix AS bigint) AS num_prec_radix FROM (VALUES \
    ('boolean', 16, NULL, NULL), ('bigint', -5, 19, 10), ('integer', 4, 10, 10), \
    ('smallint', 5, 5, 10), ('tinyint', -6, 3, 10), ('real', 7, 24, 2), ('double', 8, 53, 2), \
    ('decimal', 3, 38, 10), ('varchar', 12, 2147483647, NULL), \
    ('varbinary', -3, 2147483647, NULL), ('date', 91, 14, NULL), ('time', 92, 12, NULL), \
    ('timestamp', 93, 29, NULL), ('timestamp with time zone', 2014, 61, NULL), \
    ('json', 2000, NULL, NULL), ('array', 2003, NULL, NULL), ('map', 2000, NULL, NULL), \
    ('row', 2000, NULL, NULL)) AS t (type_name, data_type, size, radix)";

/// Tables of what does not exist here: schema, table, name, columns.
const EMPTY: [(&str, &str, &str, &str); 13] = [
    (
        "information_schema",
        "views",
        "information_views",
        "table_catalog table_schema table_name view_definition",
    ),
    ("information_schema", "roles", "information_roles", "role_name"),
    ("information_schema", "enabled_roles", "information_enabled", "role_name"),
    (
        "information_schema",
        "table_privileges",
        "information_privileges",
        "grantor grantor_type grantee grantee_type table_catalog table_schema table_name \
         privilege_type is_grantable with_hierarchy",
    ),
    (
        "metadata",
        "materialized_views",
        "metadata_mviews",
        "catalog_name schema_name name comment definition freshness",
    ),
    (
        "jdbc",
        "procedures",
        "jdbc_procedures",
        "procedure_cat procedure_schem procedure_name remarks procedure_type# specific_name",
    ),
    (
        "jdbc",
        "procedure_columns",
        "jdbc_pcolumns",
        "procedure_cat procedure_schem procedure_name column_name column_type# data_type# \
         type_name \"precision\"# length# scale# radix# nullable# remarks column_def \
         sql_data_type# sql_datetime_sub# char_octet_length# ordinal_position# is_nullable \
         specific_name",
    ),
    (
        "jdbc",
        "pseudo_columns",
        "jdbc_pseudo",
        "table_cat table_schem table_name column_name data_type# column_size# decimal_digits# \
         num_prec_radix# column_usage remarks char_octet_length# is_nullable",
    ),
    (
        "jdbc",
        "udts",
        "jdbc_udts",
        "type_cat type_schem type_name class_name data_type# remarks base_type#",
    ),
    (
        "jdbc",
        "super_types",
        "jdbc_supers",
        "type_cat type_schem type_name supertype_cat supertype_schem supertype_name",
    ),
    ("jdbc", "super_tables", "jdbc_stables", "table_cat table_schem table_name supertable_name"),
    (
        "jdbc",
        "attributes",
        "jdbc_attributes",
        "type_cat type_schem type_name attr_name data_type# attr_type_name attr_size# \
         decimal_digits# num_prec_radix# nullable# remarks attr_def sql_data_type# \
         sql_datetime_sub# char_octet_length# ordinal_position# is_nullable scope_catalog \
         scope_schema scope_table source_data_type#",
    ),
    (
        "jdbc",
        "primary_keys",
        "jdbc_keys",
        "table_cat table_schem table_name column_name key_seq# pk_name",
    ),
];
