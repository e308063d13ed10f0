//! Same, respelled, or another value, and where.

use traillake_cloudtrail::{Comparison, compare};

fn differs(a: &str, b: &str) -> Vec<String> {
    match compare(a.as_bytes(), b.as_bytes()) {
        Comparison::Same => panic!("the same: {a}"),
        Comparison::Respelled => Vec::new(),
        Comparison::Differs { paths } => paths,
    }
}

#[test]
fn spelling_is_no_difference() {
    assert_eq!(compare(b"{}", b"{}"), Comparison::Same);
    for (a, b) in [
        (r#"{"a":1,"b":[2,"x"]}"#, "{ \"b\": [2, \"\\u0078\"],\n\"a\": 1 }"),
        ("[1]", "[1.0]"),
        ("[10]", "[1e1]"),
        ("[0.0]", "[-0]"),
        ("[100e-2]", "[1]"),
        (r#"["\/"]"#, r#"["/"]"#),
        (r#"["\ud83d\ude00"]"#, r#"["😀"]"#),
        (r#"{"a":1,"b":0,"a":2}"#, r#"{"a":1,"a":2,"b":0}"#),
    ] {
        assert_eq!(differs(a, b), Vec::<String>::new(), "{a} {b}");
        assert_eq!(differs(b, a), Vec::<String>::new(), "{b} {a}");
    }
}

#[test]
fn values_differ_at_their_paths() {
    let check = |a: &str, b: &str, paths: &[&str]| {
        assert_eq!(differs(a, b), paths, "{a} {b}");
        assert_eq!(differs(b, a), paths, "{b} {a}");
    };
    check(r#"{"a":{"b":1,"c":2}}"#, r#"{"a":{"b":2,"c":2},"d":null}"#, &["a.b", "d"]);
    check("[1,2,3]", "[1,3]", &["[1]", "[2]"]);
    check(r#"{"a":[{"x":1}]}"#, r#"{"a":[{"x":"1"}]}"#, &["a[0].x"]);
    check("[12345678901234567890]", "[12345678901234567891]", &["[0]"]);
    check("[0.1]", "[0.10000000000000000001]", &["[0]"]);
    check(r#"{"a":1,"a":2}"#, r#"{"a":2,"a":1}"#, &["a", "a"]);
    check(r#"["\ud800"]"#, r#"["\ud801"]"#, &["[0]"]);
    check("{}", "no json", &["$"]);
    check("null", "false", &["$"]);
}

#[test]
fn depth_is_bounded() {
    let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(differs(&deep("1"), &deep("2")).len(), 1);
}
