//! Every function of Trino's: supported, different or absent. `docs/sql-functions.md` is made from
//! this and from the functions' own descriptions; a test compares the two.

use std::fmt::Write;

use super::Function;

/// Functions that DataFusion has with Trino's meaning, and special forms the planner knows.
const SHARED: &str = "abs array_agg array_distinct array_except array_intersect array_union atan2 \
    avg bool_and bool_or chr coalesce corr count covar_pop covar_samp cume_dist current_date \
    dense_rank first_value flatten grouping lag last_value lead log max min now nth_value ntile \
    nullif percent_rank pi pow power rank regr_intercept regr_slope round row_number starts_with \
    stddev_pop stddev_samp translate uuid var_pop var_samp";

/// Functions that a rewrite of the syntax tree turns into others, with Trino's meaning.
const REWRITTEN: &[(&str, &str)] = &[
    ("any_value", "any value that is not NULL"),
    ("arbitrary", "any value that is not NULL"),
    ("bitwise_and_agg", ""),
    ("bitwise_or_agg", ""),
    ("bitwise_xor_agg", ""),
    ("cast", "also `x::type`"),
    ("count_if", ""),
    ("current_timestamp", ""),
    ("current_timezone", "always UTC"),
    ("current_user", "always `traillake`"),
    ("every", ""),
    ("extract", "every field of Trino's"),
    ("geometric_mean", ""),
    ("histogram", ""),
    ("if", ""),
    ("listagg", "`ON OVERFLOW` is not limited; one order per query"),
    ("localtime", "UTC"),
    ("localtimestamp", "UTC"),
    ("map_agg", ""),
    ("map_union", "of a key that several maps have the first value stands"),
    ("max_by", "also with a count"),
    ("min_by", "also with a count"),
    ("mod", ""),
    ("multimap_agg", ""),
    ("position", "`position(part IN text)`"),
    ("stddev", ""),
    ("try_cast", ""),
    ("variance", ""),
];

/// Functions and operators that answer otherwise than Trino's, and how.
const DIFFERENT: &[(&str, &str)] = &[
    ("approx_distinct", "another sketch, so another estimate; no error bound as argument"),
    ("approx_most_frequent", "counts exactly, whatever the capacity"),
    ("approx_percentile", "another digest, so another estimate"),
    ("avg", "of decimals, with four digits more after the point"),
    ("cosine_distance", "arrays only, no maps"),
    ("cosine_similarity", "arrays only, no maps"),
    ("from_iso8601_timestamp", "shown in UTC, whatever zone the text names"),
    (
        "json_exists, json_query, json_value",
        "paths without `datetime()` and `.decimal()`-like methods; DEFAULT is evaluated for every \
         row; `RETURNING varbinary` and encodings other than UTF-8 are errors",
    ),
    (
        "literals",
        "`1` is a bigint here, an integer in Trino; `1.5` is a double here, a decimal(2, 1) in \
         Trino: of `100.0 * 1 / 3` Trino gives 33.3",
    ),
    ("lpad, rpad", "at most 1,048,576 characters"),
    ("ngrams", "at most 1,000,000 elements in all"),
    ("numeric_histogram", "merges other buckets, so other means and weights"),
    ("parse_datetime", "shown in UTC, whatever zone the text names"),
    (
        "regexp_*",
        "no look-around, back-references, possessive quantifiers and atomic groups, which are \
         errors; `$` matches at the very end only, not before a last newline too",
    ),
    ("regr_count", "DataFusion's; counts as bigint"),
    (
        "hour, minute, second, millisecond",
        "of dates and timestamps only, not of times of day and intervals",
    ),
    (
        "timestamps with time zone",
        "a column has one zone, in Trino every value its own: where several meet, and where some \
         have none, they are shown in UTC",
    ),
    (
        "coalesce, CASE, concat, listagg, translate, UNION",
        "take numbers beside text too, as text; Trino refuses them",
    ),
    ("uuid", "a varchar"),
];

/// Functions that are not there, by the reason.
const ABSENT: &[(&str, &str)] = &[
    (
        "sketches are rare in audit queries, and their types exist nowhere else",
        "approx_set empty_approx_set hash_counts intersection_cardinality jaccard_index \
         make_set_digest merge merge_set_digest qdigest_agg tdigest_agg theta_sketch_cardinality \
         theta_sketch_union value_at_quantile values_at_quantiles",
    ),
    (
        "distributions beyond mean, deviation, skewness and kurtosis are rare in audit queries",
        "beta_cdf inverse_beta_cdf inverse_normal_cdf normal_cdf t_cdf t_pdf \
         wilson_interval_lower wilson_interval_upper",
    ),
    (
        "binary encodings of numbers and rare hashes do not occur in events",
        "char2hexint from_big_endian_32 from_big_endian_64 from_ieee754_32 from_ieee754_64 \
         spooky_hash_v2_32 spooky_hash_v2_64 to_big_endian_32 to_big_endian_64 to_ieee754_32 \
         to_ieee754_64 zstd_compress zstd_decompress",
    ),
    (
        "the SQL standard's second names for what `CAST(x AS json)`, `json_format` and UNNEST do",
        "json_scalar json_serialize json_table",
    ),
    ("would need one more dependency, and nearly all texts of CloudTrail's are ASCII", "normalize"),
    ("stems of words are not about events", "word_stem"),
    ("Teradata's names for `date_parse` and `date_format`", "index to_char to_date to_timestamp"),
    ("a time of day with a zone has no type here", "current_time"),
    (
        "not about events",
        "bar color current_catalog current_groups current_path current_schema objectid \
         objectid_timestamp render rgb timestamp_objectid version",
    ),
    (
        "multisets, which CloudTrail Lake does not have",
        "cardinality(multiset) collect element fusion intersection set",
    ),
    (
        "row pattern recognition, which CloudTrail Lake does not have",
        "classifier first last match_number next permute prev",
    ),
    (
        "geometry is not about events",
        "ST_* bing_tile* convex_hull_agg from_encoded_polyline from_geojson_geometry geometry_* \
         great_circle_distance line_interpolate_point line_interpolate_points line_locate_point \
         simplify_geometry spatial_partitioning spatial_partitions to_encoded_polyline \
         to_geojson_geometry to_geometry to_spherical_geography",
    ),
    (
        "machine learning is not about events, and a query sends nothing to a model",
        "ai_* classify evaluate_classifier_predictions features learn_* regress",
    ),
    (
        "table functions: `UNNEST(sequence(1, 10))` makes rows, and a SELECT names its columns",
        "TABLE(exclude_columns(…)) TABLE(sequence(…))",
    ),
    ("of catalogs and types that are not here", "random_string variant_is_null"),
];

/// Returns the reference of functions, `docs/sql-functions.md`.
pub fn reference() -> String {
    let mut out = String::from(
        "# Functions\n\n\
         Every function of Trino's and how it stands here: supported, different, or absent with \
         the reason.\nThis page is made from the functions themselves \
         (`crates/trino/src/functions`); a test compares the two.\n",
    );
    let mut family = "";
    for function in super::all() {
        if function.family != family {
            family = function.family;
            let title = format!("{}{}", family[..1].to_uppercase(), &family[1..]);
            write_line(&mut out, &format!("\n## {title}\n\n| call | answer | |\n|---|---|---|"));
        }
        let syntax = function.syntax.replace('|', "\\|");
        let doc = format!("{}{}", function.doc.replace('|', "\\|"), also_called(function));
        let whose = if function.url.starts_with("https:") { "Trino" } else { "TrailLake" };
        write_line(&mut out, &format!("| `{syntax}` | {doc} | [{whose}]({}) |", function.url));
    }
    for (title, functions) in
        [("Aggregates", super::aggregates::REFERENCE), ("Lambdas", super::higher::REFERENCE)]
    {
        write_line(&mut out, &format!("\n## {title}\n\n| call | answer |\n|---|---|"));
        for (call, answer) in functions {
            write_line(&mut out, &format!("| `{}` | {answer} |", call.replace('|', "\\|")));
        }
    }
    write_line(&mut out, "\n## Through other functions\n\n| function | remark |\n|---|---|");
    for (name, remark) in REWRITTEN {
        write_line(&mut out, &format!("| `{name}` | {remark} |"));
    }
    write_line(&mut out, "\n## DataFusion's own, with Trino's meaning\n");
    write_line(&mut out, &listed(SHARED));
    write_line(&mut out, "\n## Different\n\n| function | difference |\n|---|---|");
    for (name, remark) in DIFFERENT {
        write_line(&mut out, &format!("| `{name}` | {remark} |"));
    }
    write_line(&mut out, "\n## Absent\n\n| reason | functions |\n|---|---|");
    let supported: Vec<String> = super::names().collect();
    for (reason, names) in ABSENT {
        let names: Vec<&str> = names
            .split_whitespace()
            .filter(|name| !supported.iter().any(|known| known == name))
            .collect();
        write_line(&mut out, &format!("| {reason} | {} |", listed(&names.join(" "))));
    }
    out
}

/// The further names of a function that its syntax does not say.
fn also_called(function: &Function) -> String {
    let said = |name: &str| {
        let mut words = function.syntax.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        words.any(|word| word == name)
    };
    let names = function.udf.aliases().iter();
    let names = names.filter(|name| !name.starts_with('$') && !said(name));
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!(" Also called {}.", names.join(", ")),
    }
}

fn write_line(out: &mut String, line: &str) {
    let written = writeln!(out, "{line}");
    debug_assert!(written.is_ok(), "writing to a String does not fail");
}

fn listed(names: &str) -> String {
    let names: Vec<String> = names.split_whitespace().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
