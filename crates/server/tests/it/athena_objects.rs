//! The files of results, as S3's clients fetch them.

use chrono::Utc;
use serde_json::json;

use super::athena_session::{bench, done, over, refused, request, run, start};

const SQL: &str = "SELECT * FROM \
     (VALUES ('a', 1), (NULL, 2), ('', 3), ('it''s \"q\", ☃\nz', NULL)) \
     AS t(\"Na,me\", n) ORDER BY coalesce(n, 9)";
const CSV: &str = "\"Na,me\",\"n\"\n\"a\",\"1\"\n,\"2\"\n\"\",\"3\"\n\"it's \"\"q\"\", ☃\nz\",\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_where_its_query_wanted_it() {
    let bench = bench().await;
    let served = bench.serve().await;
    let mut paths = Vec::new();
    for (output, path) in [
        ("s3://my-bucket", "/my-bucket/"),
        ("s3://my-bucket/a/b", "/my-bucket/a/b/"),
        ("s3://my-bucket/a b/ü/", "/my-bucket/a%20b/%C3%BC/"),
    ] {
        let body = json!({
            "QueryString": SQL,
            "ResultConfiguration": {"OutputLocation": output},
        });
        let id = start(&served, body).await;
        let execution = over(&served, &id).await;
        let location = execution["ResultConfiguration"]["OutputLocation"].as_str().unwrap();
        let slash = if output.ends_with('/') { "" } else { "/" };
        assert_eq!(location, format!("{output}{slash}{id}.csv"));
        let path = format!("{path}{id}.csv");
        let found = request(&served, "GET", &path, &[], "").await;
        assert_eq!((found.status, found.text().as_str()), (200, CSV), "{path}");
        paths.push(path);
    }
    let head = request(&served, "HEAD", &paths[0], &[], "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(CSV.len().to_string().as_str()));
    assert_eq!(head.header("accept-ranges"), Some("bytes"));
    assert!(head.header("last-modified").unwrap().ends_with(" GMT"));
    let etag = head.header("etag").unwrap();
    assert!(etag.ends_with("-1\""), "it is no MD5: {etag}");
    for wrong in ["s3://b", "bucket/a", "https://x/y", "s3://my bucket/", "s3://bucket/a\nb"] {
        let body = json!({
            "QueryString": SQL,
            "ResultConfiguration": {"OutputLocation": wrong},
        });
        let (name, message) = refused(&served, "StartQueryExecution", body).await;
        assert_eq!(name, "InvalidRequestException");
        assert!(message.contains("S3 path"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_result_are_had() {
    let bench = bench().await;
    let served = bench.serve().await;
    let sql = "SELECT a * 1000 + b AS n FROM UNNEST(sequence(1, 50)) AS t(a) \
         CROSS JOIN UNNEST(sequence(1, 1000)) AS u(b)";
    let id = run(&served, sql).await;
    let path = format!("/traillake_results/{id}.csv");
    let whole = request(&served, "GET", &path, &[], "").await;
    let etag = whole.header("etag").unwrap().to_owned();
    let whole = whole.body;
    let size = whole.len();
    assert!(size > 300_000, "{size}");
    for (range, from, to) in [
        ("bytes=0-3".to_owned(), 0, 4),
        ("bytes=100000-".to_owned(), 100_000, size),
        ("bytes=-5".to_owned(), size - 5, size),
        (format!("bytes=65536-{}", size * 2), 65_536, size),
    ] {
        let part = request(&served, "GET", &path, &[&format!("Range: {range}")], "").await;
        assert_eq!(part.status, 206, "{range}");
        assert!(part.body == whole[from..to], "{range}");
        let told = format!("bytes {from}-{}/{size}", to - 1);
        assert_eq!(part.header("content-range"), Some(told.as_str()));
    }
    let beyond = format!("Range: bytes={size}-");
    let beyond = request(&served, "GET", &path, &[&beyond], "").await;
    assert_eq!(beyond.status, 416);
    assert!(beyond.text().contains("<Code>InvalidRange</Code>"));
    let several = request(&served, "GET", &path, &["Range: bytes=0-1,5-6"], "").await;
    assert_eq!((several.status, several.body.len()), (200, size));
    let known = request(&served, "GET", &path, &[&format!("If-None-Match: {etag}")], "").await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    let same = request(&served, "GET", &path, &[&format!("If-Match: {etag}")], "").await;
    assert_eq!(same.status, 200);
    let other = request(&served, "GET", &path, &["If-Match: \"other\""], "").await;
    assert_eq!(other.status, 412);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_can_be_read() {
    let bench = bench().await;
    let served = bench.serve().await;
    let id = run(&served, "SELECT 1").await;
    let failed = start(&served, json!({ "QueryString": "SELECT nothing" })).await;
    over(&served, &failed).await;
    let body = json!({ "QueryString": "SELECT 1", "WorkGroup": "managed" });
    let managed = start(&served, body).await;
    over(&served, &managed).await;
    for path in [
        format!("/traillake_results/{id}.arrow"),
        format!("/traillake_results/{id}.csv.metadata"),
        format!("/traillake_results/{id}.txt"),
        format!("/traillake_results/{id}"),
        format!("/traillake_results/x/{id}.csv"),
        format!("/other-bucket/{id}.csv"),
        format!("/traillake_results/../results/{id}.csv"),
        format!("/traillake_results/..%2fstate.db/{id}.csv"),
        format!("/traillake_results/{}.csv", id.to_uppercase()),
        format!("/traillake_results/{failed}.csv"),
        format!("/traillake_results/{managed}.csv"),
        "/traillake_results/..%2F..%2Fstate.db".to_owned(),
        "/traillake_results/state.db".to_owned(),
        "/traillake_results/%2Fetc%2Fpasswd".to_owned(),
        "/etc/passwd".to_owned(),
    ] {
        let found = request(&served, "GET", &path, &[], "").await;
        assert_eq!(found.status, 404, "{path}");
        assert!(found.text().contains("<Code>NoSuchKey</Code>"), "{path}");
    }
    let path = format!("/traillake_results/{id}.csv");
    for (method, path, status, code) in [
        ("PUT", path.clone(), 405, "MethodNotAllowed"),
        ("POST", path.clone(), 405, "MethodNotAllowed"),
        ("PUT", "/new-bucket".to_owned(), 405, "MethodNotAllowed"),
        ("GET", format!("{path}?acl"), 501, "NotImplemented"),
        ("DELETE", format!("{path}?tagging"), 501, "NotImplemented"),
        ("GET", "/traillake_results?versioning".to_owned(), 501, "NotImplemented"),
        ("GET", "/b".to_owned(), 400, "InvalidBucketName"),
        ("GET", "/bucket/%ff".to_owned(), 400, "InvalidBucketName"),
    ] {
        let found = request(&served, method, &path, &[], "").await;
        assert_eq!(found.status, status, "{method} {path}");
        assert!(found.text().contains(&format!("<Code>{code}</Code>")), "{method} {path}");
    }
    // What is no bucket is nobody else's business.
    assert_eq!(request(&served, "GET", "/health", &[], "").await.status, 200);
    for path in ["/v1/nothing", "/v1", "/health/x"] {
        let found = request(&served, "GET", path, &[], "").await;
        assert_eq!(found.status, 404, "{path}");
        assert!(found.text().starts_with("{\"error\""), "{path}: {}", found.text());
    }
}

/// The keys of a listing.
fn keys(text: &str) -> Vec<String> {
    text.split("<Key>").skip(1).map(|rest| rest.split('<').next().unwrap().into()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_listed() {
    let bench = bench().await;
    let served = bench.serve().await;
    let mut ids = Vec::new();
    for folder in ["a", "a", "b"] {
        let output = format!("s3://my-bucket/{folder}/");
        let body = json!({
            "QueryString": "SELECT 1",
            "ResultConfiguration": {"OutputLocation": output},
        });
        let id = start(&served, body).await;
        over(&served, &id).await;
        ids.push(id);
    }
    ids[..2].sort();
    let list = async |query: &str| {
        let path = format!("/my-bucket?list-type=2{query}");
        let found = request(&served, "GET", &path, &[], "").await;
        assert_eq!(found.status, 200, "{}", found.text());
        found.text()
    };
    let all = list("").await;
    let expected: Vec<String> =
        ids.iter().zip(["a", "a", "b"]).map(|(id, folder)| format!("{folder}/{id}.csv")).collect();
    assert_eq!(keys(&all), expected);
    assert!(all.contains("<Size>12</Size>") && all.contains("<IsTruncated>false<"), "{all}");
    assert_eq!(keys(&list("&prefix=b%2F").await), expected[2..]);
    assert!(keys(&list("&prefix=c").await).is_empty());
    let folders = list("&delimiter=%2F&encoding-type=url").await;
    assert!(keys(&folders).is_empty());
    assert!(folders.contains("<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>"), "{folders}");
    let first = list("&max-keys=1").await;
    assert_eq!(keys(&first), expected[..1]);
    let token = first.split("<NextContinuationToken>").nth(1).unwrap().split('<').next().unwrap();
    let rest = list(&format!("&continuation-token={}", token.replace('/', "%2F"))).await;
    assert_eq!(keys(&rest), expected[1..]);
    let folder = list("&delimiter=%2F&max-keys=1").await;
    assert!(folder.contains("<IsTruncated>true<") && folder.contains("<Prefix>a/<"), "{folder}");
    let folder = list("&delimiter=%2F&start-after=a%2F").await;
    assert!(folder.contains("<Prefix>b/<") && !folder.contains("<Prefix>a/<"), "{folder}");
    let location = request(&served, "GET", "/my-bucket?location", &[], "").await;
    assert!(location.text().contains("<LocationConstraint"), "{}", location.text());
    assert_eq!(request(&served, "HEAD", "/my-bucket", &[], "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_cannot_be_whole_is_an_error() {
    let bench = bench().await;
    let served = bench.serve().await;
    let (id, gone) = (run(&served, "SELECT 1").await, run(&served, "SELECT 2").await);
    let file = |id: &str| bench.state_file(&format!("results/{id}.csv"));
    let list = async || request(&served, "GET", "/traillake_results?list-type=2", &[], "").await;
    std::fs::remove_file(file(&gone)).unwrap();
    let listed = list().await;
    assert_eq!((listed.status, keys(&listed.text())), (200, vec![format!("{id}.csv")]));
    // There, and yet not to be opened.
    std::fs::remove_file(file(&id)).unwrap();
    std::os::unix::fs::symlink(file(&id), file(&id)).unwrap();
    let listed = list().await;
    let text = listed.text();
    assert_eq!(listed.status, 500, "{text}");
    assert!(text.contains("log says why") && !text.contains("os error"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_results_are_listed_page_by_page() {
    let bench = bench().await;
    drop(bench.state());
    let database = rusqlite::Connection::open(bench.state_file("state.db")).unwrap();
    // They end in another order than that of their keys, and some were asked long before.
    let written = database.execute(
        "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers \
         WHERE n + 1 < 2500) INSERT INTO queries (id, user, protocol, store, sql, details, status, \
         submitted_at, ended_at, result_bytes) SELECT format('00000000-0000-4000-8000-%012x', n), \
         'anybody', 'athena', 'default', 'SELECT 1', json_object('output', \
         format('s3://my-bucket/%d', n % 3), 'parameters', json_array('x')), 'FINISHED', \
         ?1 - iif(n % 10, 0, 8) * 86400000000, ?1 - n * 7919 % 2500, 1 FROM numbers",
        [Utc::now().timestamp_micros()],
    );
    assert_eq!(written.unwrap(), 2_500);
    let mut expected = Vec::new();
    for n in 0..2_500 {
        let id = format!("00000000-0000-4000-8000-{n:012x}");
        std::fs::write(bench.state_file(&format!("results/{id}.csv")), "\"n\"\n").unwrap();
        expected.push(format!("{}/{id}.csv", n % 3));
    }
    expected.sort();
    let served = bench.serve().await;
    for (query, expected) in [
        ("max-keys=1000", &expected[..]),
        ("max-keys=777", &expected[..]),
        ("max-keys=400&prefix=1%2F", &expected[834..1_667]),
    ] {
        let size: usize = query[9..].split('&').next().unwrap().parse().unwrap();
        let (mut found, mut next) = (Vec::new(), String::new());
        loop {
            let path = format!("/my-bucket?list-type=2&{query}{next}");
            let page = request(&served, "GET", &path, &[], "").await.text();
            let keys = keys(&page);
            assert_eq!(keys.len(), size.min(expected.len() - found.len()), "{query}");
            found.extend(keys);
            let Some((_, token)) = page.split_once("<NextContinuationToken>") else { break };
            let token = token.split('<').next().unwrap().replace('/', "%2F");
            next = format!("&continuation-token={token}");
        }
        assert!(found == expected, "{query}");
    }
    let path = "/my-bucket?list-type=2&delimiter=%2F&max-keys=2";
    let folders = request(&served, "GET", path, &[], "").await.text();
    let prefix = |name: &str| format!("<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>");
    assert!(folders.contains(&(prefix("0/") + &prefix("1/"))), "{folders}");
    assert!(folders.contains("<NextContinuationToken>1/<"), "{folders}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_may_forget_a_result() {
    let bench = bench().await;
    let served = bench.serve().await;
    let one = run(&served, "SELECT 1").await;
    let two = run(&served, "SELECT 2").await;
    let three = run(&served, "SHOW TABLES").await;
    let path = |id: &str| format!("/traillake_results/{id}.csv");
    assert_eq!(request(&served, "DELETE", &path(&one), &[], "").await.status, 204);
    assert_eq!(request(&served, "GET", &path(&one), &[], "").await.status, 404);
    let gone = refused(&served, "GetQueryResults", json!({ "QueryExecutionId": one })).await;
    assert!(gone.1.contains("not kept any more"), "{gone:?}");
    // What is not there is deleted already; what is beside it stays.
    assert_eq!(request(&served, "DELETE", &path(&one), &[], "").await.status, 204);
    let beside = format!("{}.metadata", path(&two));
    assert_eq!(request(&served, "DELETE", &beside, &[], "").await.status, 204);
    assert_eq!(request(&served, "GET", &path(&two), &[], "").await.status, 200);
    let keys = format!(
        "<Delete><Object><Key>{two}.csv</Key></Object><Object><Key>a&amp;b</Key></Object></Delete>"
    );
    let all = request(&served, "POST", "/traillake_results?delete", &[], &keys).await;
    assert_eq!(all.status, 200);
    assert!(all.text().contains("<Deleted><Key>a&amp;b</Key></Deleted>"), "{}", all.text());
    assert_eq!(request(&served, "GET", &path(&two), &[], "").await.status, 404);
    let text = request(&served, "GET", &format!("/traillake_results/{three}.txt"), &[], "").await;
    assert!(text.text().contains("events\n"), "{}", text.text());
    let empty = request(&served, "POST", "/traillake_results?delete", &[], "nothing").await;
    assert_eq!(empty.status, 400);
    // Its record stays.
    let found = done(&served, "GetQueryExecution", json!({ "QueryExecutionId": one })).await;
    assert_eq!(found["QueryExecution"]["Status"]["State"], "SUCCEEDED");
}
