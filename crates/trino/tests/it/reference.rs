//! `docs/sql-functions.md` is what the functions say of themselves.

use datafusion::execution::session_state::SessionStateBuilder;

use crate::support::Session;

#[test]
fn the_reference_of_functions_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sql-functions.md");
    let expected = traillake_trino::functions::reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &expected).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == expected, "docs/sql-functions.md is old: run the test with UPDATE_DOCS=1");
}

/// The functions of <https://trino.io/docs/current/functions/list.html> and of the pages it leaves
/// out; those that begin with `ST_`, `bing_tile`, `geometry_` and `learn_` go by that.
const TRINOS: &str = "\
    abs acos all_match any_match any_value approx_distinct approx_most_frequent \
    approx_percentile approx_set arbitrary array_agg array_distinct array_except array_first \
    array_histogram array_intersect array_join array_last array_max array_min array_position \
    array_remove array_sort array_union arrays_overlap asin at_timezone atan atan2 avg bar \
    beta_cdf bit_count bitwise_and bitwise_and_agg bitwise_left_shift bitwise_not bitwise_or \
    bitwise_or_agg bitwise_right_shift bitwise_right_shift_arithmetic bitwise_xor \
    bitwise_xor_agg bool_and bool_or cardinality cast cbrt ceil ceiling char2hexint checksum \
    chr classify classifier coalesce codepoint collect color combinations concat concat_ws \
    contains contains_sequence convex_hull_agg corr cos cosh cosine_distance cosine_similarity \
    count count_if covar_pop covar_samp crc32 cume_dist current_date current_groups \
    current_time current_timestamp current_timezone current_user date date_add date_diff \
    date_format date_parse date_trunc day day_of_month day_of_week day_of_year degrees \
    dense_rank dow doy e element element_at empty_approx_set ends_with \
    evaluate_classifier_predictions every exclude_columns extract exp features filter first \
    first_value flatten floor format format_datetime format_number from_base from_base32 \
    from_base64 from_base64url from_big_endian_32 from_big_endian_64 from_encoded_polyline \
    from_geojson_geometry from_hex from_ieee754_32 from_ieee754_64 from_iso8601_date \
    from_iso8601_timestamp from_iso8601_timestamp_nanos from_unixtime from_unixtime_nanos \
    from_utf8 fusion geometric_mean great_circle_distance greatest hamming_distance \
    hash_counts histogram hmac_md5 hmac_sha1 hmac_sha256 hmac_sha512 hour \
    human_readable_seconds if index infinity intersection intersection_cardinality \
    inverse_beta_cdf inverse_normal_cdf is_finite is_infinite is_json_scalar is_nan \
    jaccard_index json_array json_array_contains json_array_get json_array_length json_exists \
    json_extract json_extract_scalar json_format json_object json_parse json_query json_scalar \
    json_serialize json_size json_value json_table kurtosis lag last last_day_of_month \
    last_value lead least length levenshtein_distance line_interpolate_point \
    line_interpolate_points line_locate_point listagg ln localtime localtimestamp log log10 \
    log2 lower lpad ltrim luhn_check make_set_digest map_agg map_concat map_entries map_filter \
    map_from_entries map_keys map_union map_values map_zip_with match_number max max_by md5 \
    merge merge_set_digest millisecond min min_by minute mod month multimap_agg \
    multimap_from_entries murmur3 nan next ngrams none_match normal_cdf normalize now \
    nth_value ntile nullif numeric_histogram objectid objectid_timestamp parse_datetime \
    parse_duration parse_data_size percent_rank permute pi position pow power prev qdigest_agg \
    quarter radians rand random random_string rank reduce reduce_agg regexp_count \
    regexp_extract regexp_extract_all regexp_like regexp_position regexp_replace regexp_split \
    regress regr_intercept regr_slope render repeat replace reverse rgb round row_number rpad \
    rtrim second sequence set sha1 sha256 sha512 shuffle sign simplify_geometry sin sinh \
    skewness slice soundex spatial_partitioning spatial_partitions split split_part \
    split_to_map split_to_multimap spooky_hash_v2_32 spooky_hash_v2_64 sqrt starts_with stddev \
    stddev_pop stddev_samp strpos substr substring sum tan tanh tdigest_agg \
    theta_sketch_cardinality theta_sketch_union timestamp_objectid timezone timezone_hour \
    timezone_minute title_case to_base to_base32 to_base64 to_base64url to_big_endian_32 \
    to_big_endian_64 to_char to_date to_encoded_polyline to_geojson_geometry to_geometry \
    to_hex to_ieee754_32 to_ieee754_64 to_iso8601 to_milliseconds to_spherical_geography \
    to_timestamp to_unixtime to_utf8 transform transform_keys transform_values translate trim \
    trim_array truncate try try_cast typeof upper url_decode url_encode url_extract_fragment \
    url_extract_host url_extract_parameter url_extract_path url_extract_protocol \
    url_extract_port url_extract_query uuid value_at_quantile values_at_quantiles var_pop \
    var_samp variance version week week_of_year width_bucket wilson_interval_lower \
    wilson_interval_upper with_timezone word_stem xxhash64 year year_of_week yow zip zip_with \
    euclidean_distance dot_product ceiling t_cdf t_pdf overlay grouping current_catalog \
    current_schema current_path";

#[test]
fn no_function_of_trinos_is_passed_over() {
    let page = traillake_trino::functions::reference();
    let quoted: String = page.split('`').skip(1).step_by(2).collect::<Vec<_>>().join(" ");
    let words: Vec<&str> = quoted.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let missing: Vec<&str> =
        TRINOS.split_whitespace().filter(|name| !words.contains(name)).collect();
    assert!(missing.is_empty(), "neither supported nor absent: {missing:?}");
}

#[tokio::test]
async fn every_function_listed_as_shared_is_registered() {
    let session = Session::new().await;
    let state = session.context.state();
    let page = traillake_trino::functions::reference();
    let shared = page.split("## DataFusion's own, with Trino's meaning").nth(1).unwrap();
    let shared = shared.split("## Different").next().unwrap();
    let known = |name: &str| {
        state.scalar_functions().contains_key(name)
            || state.aggregate_functions().contains_key(name)
            || state.window_functions().contains_key(name)
    };
    let missing: Vec<&str> = shared
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| !known(name) && *name != "grouping")
        .collect();
    assert!(missing.is_empty(), "not registered: {missing:?}");
}

#[tokio::test]
async fn a_state_built_from_ours_keeps_our_functions() {
    let session = Session::new().await;
    // The builder registers functions in the order of a hash map: another one every time.
    for _ in 0..16 {
        let state = SessionStateBuilder::new_from_existing(session.context.state()).build();
        for name in
            ["element_at", "substr", "contains", "repeat", "concat", "date_format", "strpos"]
        {
            let found = &state.scalar_functions()[name];
            assert_eq!(found.name(), name);
            assert!(format!("{found:?}").contains("Scalar {"), "{name} is DataFusion's: {found:?}");
        }
    }
}
