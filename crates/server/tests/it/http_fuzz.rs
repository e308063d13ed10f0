//! Whatever is sent to TrailLake's own API, and whatever a request says of who sends it, an answer
//! comes, and none says that the server is at fault.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use hmac::{Hmac, Mac as _};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use traillake_server::auth::{IssuedKey, Role};
use traillake_server::{CredentialKind, NewCredential};

use crate::athena_session::{Answer, request};
use crate::lake_api::bench;
use crate::served::Served;
use crate::spoiled::{scalar, spoiled};

const STATEMENTS: [&str; 12] = [
    "SELECT 1 AS one",
    "SELECT :x",
    "SELECT ?, eventName FROM events WHERE eventID = ?",
    "SELECT nan(), CAST(NULL AS varchar) AS \"ü\", ARRAY[1], MAP(ARRAY['a'], ARRAY[X'00'])",
    "SELECT INTERVAL '1' DAY, INTERVAL '2' MONTH, TIMESTAMP '2024-05-01 10:00:00.5 UTC'",
    "VALUES (1, 'a'), (2, NULL)",
    "SELECT userIdentity, requestParameters, eventJson FROM events",
    "SELECT eventID FROM events WHERE false",
    "EXPLAIN SELECT 1",
    "SHOW TABLES",
    "SELECT nothing",
    "SELECT",
];
const MEMBERS: [&str; 7] = ["sql", "store", "format", "parameters", "p.x", "timeout", "rows_max"];
const WORDS: [&str; 11] =
    ["default", "json", "ndjson", "csv", "arrow", "parquet", "1e999", "-1", "", "\u{0}", "🦀"];
const HEADERS: [&str; 7] = [
    "Content-Type: application/json",
    "Content-Type: application/json; charset=utf-8",
    "Content-Type: application/json\r\nAccept: text/csv;q=0.5, */*",
    "Content-Type: application/sql",
    "Content-Type: application/sql\r\nAccept: application/vnd.apache.parquet",
    "Content-Type: text/plain",
    "Accept: \u{fc}",
];
const QUERIES: [&str; 4] = ["?format=csv", "?%ff=%00", "?timeout=1e999", "?sql=SELECT+1"];
/// Bytes of a URL, of which HTTP's parser takes no more than 64 KiB.
const URL_MAX: usize = 60_000;
/// What may stand in place of a piece of a text, printable.
const PIECES: &str = "[ -~]{0,3}|[,;=/: ]{1,3}|[{}\"]|é";

/// Values that are nearly right, and any others.
fn value() -> impl Strategy<Value = Value> {
    let long = ["+1", "::varchar", " OR true", "["];
    let long = long.map(|link| format!("SELECT 1{}", link.repeat(999)));
    let words = STATEMENTS.into_iter().chain(WORDS).map(str::to_owned).chain(long);
    let scalar = scalar(words.collect());
    scalar.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("x|[a-z]{0,2}|\\PC", inner, 0..4)
                .prop_map(|members| json!(members)),
        ]
    })
}

/// Members of a question: mostly a statement, and a few others, which may be the same again.
fn members() -> impl Strategy<Value = Vec<(String, Value)>> {
    let sql = prop::sample::select(&STATEMENTS[..]);
    let sql = sql.prop_map(|sql| ("sql".to_owned(), Value::from(sql)));
    let name = prop_oneof![
        9 => prop::sample::select(&MEMBERS[..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let others = prop::collection::vec((name, value()), 0..3);
    (prop::option::weighted(0.8, sql), others)
        .prop_map(|(sql, others)| sql.into_iter().chain(others).collect())
}

/// An object as JSON, in which a name may stand twice, or a piece of one.
fn body() -> impl Strategy<Value = String> {
    members().prop_flat_map(|members| {
        let members = members.iter().map(|(name, value)| format!("{}:{value}", json!(name)));
        let whole = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        prop_oneof![3 => Just(whole.clone()), 1 => spoiled(whole, PIECES, 0..3)]
    })
}

/// The same in a URL.
fn path() -> impl Strategy<Value = String> {
    let paths = members().prop_map(|members| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in members {
            query.append_pair(&name, value.as_str().unwrap_or(&value.to_string()));
        }
        format!("/v1/query?{}", query.finish())
    });
    paths.prop_filter("too long", |path| path.len() < URL_MAX)
}

async fn answered(served: &Served, method: &str, path: &str, lines: &[&str], body: &str) -> Answer {
    let asked = request(served, method, path, lines, body);
    let answer = tokio::time::timeout(Duration::from_secs(60), asked).await;
    answer.unwrap_or_else(|_| panic!("{method} {path} {lines:?} {body} hangs"))
}

/// Answers and refusals.
#[derive(Default)]
struct Counted {
    answered: u32,
    refused: u32,
}

impl Counted {
    fn count(&mut self, answer: &Answer, told: &str) {
        match answer.status {
            200 => self.answered += 1,
            400..500 => {
                let told_us: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                assert!(told_us["error"]["message"].is_string(), "{told}: {answer:?}");
                self.refused += 1;
            }
            status => panic!("{status} {told}: {}", String::from_utf8_lossy(&answer.body)),
        }
    }
}

#[tokio::test]
async fn every_question_is_answered_or_refused() {
    let bench = bench().await;
    let served = bench.serve().await;
    let mut runner = TestRunner::deterministic();
    let header = prop_oneof![2 => Just(HEADERS[0]), 1 => prop::sample::select(&HEADERS[..])];
    let query = prop_oneof![4 => Just(""), 1 => prop::sample::select(&QUERIES[..])];
    let (posts, gets) = ((body(), header, query), path());
    let mut counted = Counted::default();
    for _ in 0..400 {
        let (body, header, query) = posts.new_tree(&mut runner).unwrap().current();
        let path = format!("/v1/query{query}");
        let answer = answered(&served, "POST", &path, &[header], &body).await;
        counted.count(&answer, &format!("{path} {header} {body}"));
        let path = gets.new_tree(&mut runner).unwrap().current();
        let answer = answered(&served, "GET", &path, &["Accept: text/csv"], "").await;
        counted.count(&answer, &path);
    }
    let Counted { answered, refused } = counted;
    assert!(answered > 50 && refused > 50, "{answered} answered, {refused} refused");
}

#[tokio::test]
async fn what_parquet_has_no_type_for_is_said() {
    let bench = bench().await;
    let served = bench.serve().await;
    for sql in ["INTERVAL+'1'+MONTH+AS+age", "ARRAY[INTERVAL+'1'+DAY]+AS+age"] {
        let path = format!("/v1/query?format=parquet&sql=SELECT+1,{sql}");
        let (status, told) = served.get(&path).await;
        assert_eq!((status, &told["error"]["kind"]), (400, &json!("statement")), "{told}");
        let message = told["error"]["message"].as_str().unwrap();
        assert!(message.contains("the column `age`"), "{message}");
    }
}

/// Returns the signature of `GET /v1/stores` by an access key:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>.
fn signature(key: &IssuedKey, host: &str, scope: &str, date: &str) -> String {
    let nothing = hex(&Sha256::digest(b""));
    let canonical =
        format!("GET\n/v1/stores\n\nhost:{host}\nx-amz-date:{date}\n\nhost;x-amz-date\n{nothing}");
    let digest = hex(&Sha256::digest(canonical.as_bytes()));
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}");
    let mut sealed = format!("AWS4{}", key.secret).into_bytes();
    for part in scope.split('/').chain([to_sign.as_str()]) {
        let mut mac = Hmac::<Sha256>::new_from_slice(&sealed).unwrap();
        mac.update(part.as_bytes());
        sealed = mac.finalize().into_bytes().to_vec();
    }
    hex(&sealed)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether HTTP Basic's text holds that password.
fn is_password(authorization: &str, token: &str) -> bool {
    let encoded = authorization.split_once(' ').map_or("", |(_, encoded)| encoded.trim());
    STANDARD.decode(encoded).is_ok_and(|text| text.ends_with(format!(":{token}").as_bytes()))
}

#[tokio::test]
async fn nobody_is_let_in_without_the_whole_secret_whatever_they_say() {
    let bench = bench().await;
    let token = bench.token("alice", None);
    let new = NewCredential {
        kind: CredentialKind::AccessKey,
        user: "alice".to_owned(),
        role: Role::Read,
        stores: None,
        expires_at: None,
    };
    let key = bench.state().issue_key(&new, Utc::now()).unwrap();
    let served = bench.serve_with(|_| ()).await;
    let date = Utc::now().format("%Y%m%dT%H%M%SZ").to_string();
    let scope = format!("{}/eu-central-1/cloudtrail/aws4_request", &date[..8]);
    let signature = signature(&key, &served.address.to_string(), &scope, &date);
    let signed = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders=host;x-amz-date, \
         Signature={signature}",
        key.id
    );
    let basic = format!("Basic {}", STANDARD.encode(format!("alice:{token}")));
    let by_token = |said: &str| said.contains(&token);
    let by_password = |said: &str| is_password(said, &token);
    let by_key = |said: &str| said.to_ascii_lowercase().contains(&signature);
    type HoldsSecret<'a> = &'a dyn Fn(&str) -> bool;
    let ways: [(String, HoldsSecret); 3] =
        [(format!("Bearer {token}"), &by_token), (basic, &by_password), (signed, &by_key)];
    let mut runner = TestRunner::deterministic();
    for (valid, holds_secret) in ways {
        let mut counted = Counted::default();
        let dates = prop_oneof![3 => Just(date.clone()), 1 => spoiled(date.clone(), PIECES, 0..3)];
        let tries = (spoiled(valid, PIECES, 0..3), dates);
        for _ in 0..200 {
            let (said, date) = tries.new_tree(&mut runner).unwrap().current();
            let lines = [format!("Authorization: {said}"), format!("X-Amz-Date: {date}")];
            let lines = lines.each_ref().map(String::as_str);
            let answer = answered(&served, "GET", "/v1/stores", &lines, "").await;
            counted.count(&answer, &said);
            assert!(matches!(answer.status, 200 | 401), "{said}: {answer:?}");
            assert!(answer.status == 401 || holds_secret(&said), "{said} was let in");
        }
        let Counted { answered, refused } = counted;
        assert!(answered > 20 && refused > 50, "{answered} answered, {refused} refused");
    }
}
