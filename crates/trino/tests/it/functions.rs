//! What holds for any values: encodings that undo one another, a sort by a lambda.

use proptest::prelude::*;

use crate::support::Session;

/// Runs a statement whose only row is numbers.
fn numbers(sql: &str) -> Vec<i64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(async { Session::new().await.run(sql).await }).unwrap();
    answer.rows[0].iter().map(|value| value.parse().unwrap()).collect()
}

fn literal(text: &str) -> String {
    format!("('{}')", text.replace('\'', "''"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn encodings_give_back_what_they_were_given(texts in prop::collection::vec(".{0,20}", 1..20)) {
        let values: Vec<String> = texts.iter().map(|text| literal(text)).collect();
        let same = [
            "url_decode(url_encode(x))",
            "from_utf8(from_base32(to_base32(to_utf8(x))))",
            "from_utf8(from_base64(to_base64(to_utf8(x))))",
            "from_utf8(from_hex(to_hex(to_utf8(x))))",
            "reverse(reverse(x))",
            "json_value(json_array(x), 'lax $[0]')",
            "regexp_replace(x, '', '')",
            "array_join(regexp_split(x, 'a'), 'a')",
        ];
        let counts = same.map(|call| format!("count_if({call} = x)"));
        let sql = format!(
            "SELECT count(*), {} FROM (VALUES {}) AS t(x)",
            counts.join(", "),
            values.join(", ")
        );
        let counts = numbers(&sql);
        for (call, count) in same.iter().zip(&counts[1..]) {
            prop_assert_eq!(*count, counts[0], "{} changed one of {:?}", call, texts);
        }
    }

    #[test]
    fn a_lambda_sorts_as_no_lambda_does(
        arrays in prop::collection::vec(prop::collection::vec(-9_i64..9, 1..14), 1..12),
    ) {
        let values: Vec<String> = arrays.iter().map(|array| format!("(ARRAY{array:?})")).collect();
        let sql = format!(
            "SELECT count(*), count_if(array_sort(x, (a, b) -> IF(a < b, -1, IF(a = b, 0, 1))) \
             = array_sort(x)), count_if(reduce(x, 0, (s, a) -> s + a, s -> s) = \
             reduce(array_sort(x), 0, (s, a) -> s + a, s -> s)) FROM (VALUES {}) AS t(x)",
            values.join(", ")
        );
        let counts = numbers(&sql);
        prop_assert_eq!(&counts[1..], &[counts[0], counts[0]]);
    }
}
