//! Every function of Trino's: supported, different or absent. `docs/sql-functions.md` is made from
//! this and from the functions' own descriptions; a test compares the two.

use std::fmt::Write;

/// Functions that DataFusion has with Trino's meaning, and special forms the planner knows.
const SHARED: &str = "abs acos array_agg array_distinct array_except array_intersect array_join \
    array_union arrays_overlap asin atan atan2 avg bool_and bool_or cbrt chr coalesce concat_ws \
    corr cos cosh count covar_pop covar_samp cume_dist current_date degrees dense_rank exp \
    first_value flatten floor grouping lag last_value lead ln log10 log2 lower lpad ltrim max min \
    now nth_value ntile nullif percent_rank pi power radians random rank regr_intercept \
    regr_slope round row_number rpad rtrim sin sinh sqrt starts_with stddev_pop stddev_samp sum \
    tan tanh translate trim upper uuid var_pop var_samp";

/// Functions that a rewrite of the syntax tree turns into others, with Trino's meaning.
const REWRITTEN: &[(&str, &str)] = &[
    ("all_match", "through `any_match`"),
    ("any_match", "lambda"),
    ("any_value", "any value that is not NULL"),
    ("arbitrary", "any value that is not NULL"),
    ("bitwise_and_agg", ""),
    ("bitwise_or_agg", ""),
    ("bitwise_xor_agg", ""),
    ("ceiling", "and `ceil`"),
    ("count_if", ""),
    ("current_timestamp", "a timestamp(9) with time zone"),
    ("current_timezone", "always UTC"),
    ("every", ""),
    ("extract", "every field of Trino's"),
    ("filter", "lambda"),
    ("geometric_mean", ""),
    ("histogram", ""),
    ("if", ""),
    ("listagg", "`ON OVERFLOW` is not limited; one order per query"),
    ("localtime", "UTC"),
    ("localtimestamp", "UTC"),
    ("map_agg", ""),
    ("max_by", "also with a count"),
    ("min_by", "also with a count"),
    ("mod", ""),
    ("multimap_agg", ""),
    ("none_match", "through `any_match`"),
    ("stddev", ""),
    ("transform", "lambda"),
    ("try", "NULL for the rows that fail"),
    ("variance", ""),
];

/// Functions that answer otherwise than Trino's, and how.
const DIFFERENT: &[(&str, &str)] = &[
    ("approx_distinct", "another sketch, so another estimate; no error bound as argument"),
    ("approx_percentile", "a t-digest; the value is a double whatever the type of `x`"),
    ("map", "`MAP(keys, values)` needs literal or column arrays; no `MAP()`"),
    ("regr_count", "DataFusion's; counts as bigint"),
    ("typeof", "integer literals are bigint here, and decimal literals double"),
];

/// Functions that are not there, by the reason.
const ABSENT: &[(&str, &str)] = &[
    (
        "sketches are rare in audit queries",
        "approx_most_frequent approx_set checksum empty_approx_set hash_counts intersection_cardinality \
         jaccard_index make_set_digest merge merge_set_digest numeric_histogram qdigest_agg tdigest_agg \
         value_at_quantile values_at_quantiles quantile_at_value",
    ),
    (
        "statistics beyond mean and deviation are rare in audit queries",
        "beta_cdf binomial_cdf cauchy_cdf chi_squared_cdf entropy f_cdf gamma_cdf inverse_beta_cdf \
         inverse_normal_cdf kurtosis laplace_cdf normal_cdf poisson_cdf skewness t_cdf t_pdf \
         weibull_cdf wilson_interval_lower wilson_interval_upper cosine_distance cosine_similarity",
    ),
    (
        "binary encodings and hashes nobody asked for yet",
        "char2hexint from_base32 from_big_endian_32 from_big_endian_64 from_ieee754_32 from_ieee754_64 \
         hmac_md5 hmac_sha1 hmac_sha256 hmac_sha512 murmur3 sha1 spooky_hash_v2_32 spooky_hash_v2_64 \
         to_base32 to_big_endian_32 to_big_endian_64 to_ieee754_32 to_ieee754_64 xxhash64",
    ),
    (
        "needs a lambda of several steps or parameters; to come",
        "array_sort(lambda) map_filter map_zip_with reduce reduce_agg transform_keys \
         transform_values zip_with",
    ),
    (
        "to come",
        "array_histogram arrays_zip combinations contains_sequence date_bin format format_datetime \
         format_number from_iso8601_timestamp_nanos from_unixtime_nanos human_readable_seconds \
         json_array json_exists json_object json_query json_table json_value luhn_check map_concat \
         map_entries map_union ngrams normalize parse_data_size \
         parse_datetime parse_duration shuffle soundex split_to_multimap strrpos \
         timezone title_case to_milliseconds url_decode url_encode with_timezone word_stem zip",
    ),
    (
        "not about events",
        "bar color current_catalog current_groups current_path current_schema objectid \
         objectid_timestamp render rgb version",
    ),
    ("geometry is not about events", "ST_* bing_tile* great_circle_distance to_geometry"),
    ("machine learning is not about events", "learn_* classify regress features"),
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
        let doc = function.doc.replace('|', "\\|");
        write_line(&mut out, &format!("| `{syntax}` | {doc} | [Trino]({}) |", function.url));
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

fn write_line(out: &mut String, line: &str) {
    let written = writeln!(out, "{line}");
    debug_assert!(written.is_ok(), "writing to a String does not fail");
}

fn listed(names: &str) -> String {
    let names: Vec<String> = names.split_whitespace().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
