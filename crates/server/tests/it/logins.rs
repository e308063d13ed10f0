//! Who was refused: what strangers make up neither fills the log nor hides an attack.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use traillake_server::auth::Role;
use traillake_server::{CredentialKind, NewCredential};

use crate::athena_session::{Answer, request};
use crate::lake_api::bench;
use crate::served::Served;

/// What no credential is called.
const NOBODY: &str = "TLAKAAAAAAAAAAAAAAAA";
/// The headers that have to be signed.
const SIGNED: &str = "host;x-amz-date";

/// Sends a request that `key` did not sign, though it says so, with one further header.
async fn forged(served: &Served, key: &str, date: &str, signed: &str, header: &str) -> Answer {
    let day = &date[..4];
    let signature = "0".repeat(64);
    let authorization = format!(
        "Authorization: AWS4-HMAC-SHA256 Credential={key}/{day}/r/s/aws4_request, \
         SignedHeaders={signed}, Signature={signature}"
    );
    let date = format!("X-Amz-Date: {date}");
    let answer = request(served, "GET", "/v1/stores", &[&authorization, &date, header], "").await;
    assert_eq!(answer.status, 401, "{answer:?}");
    answer
}

/// Has requests in the name of a credential refused for 150 reasons.
async fn noise(served: &Served, key: &str, now: DateTime<Utc>) {
    for number in 0..150 {
        let header = format!("X-Amz-N{number}: 1");
        forged(served, key, &stamp(now), SIGNED, &header).await;
    }
}

fn stamp(now: DateTime<Utc>) -> String {
    now.format("%Y%m%dT%H%M%SZ").to_string()
}

async fn rows(served: &Served, sql: &str) -> Value {
    let sql: String = url::form_urlencoded::byte_serialize(sql.as_bytes()).collect();
    served.got(&format!("/v1/query?sql={sql}")).await["rows"].clone()
}

#[tokio::test]
async fn a_refusal_quotes_little_of_what_a_stranger_says() {
    let bench = bench().await;
    let admin = bench.token_with("root", Role::Admin, None);
    let new = NewCredential {
        kind: CredentialKind::AccessKey,
        user: "alice".to_owned(),
        role: Role::Read,
        stores: None,
        expires_at: None,
    };
    let key = bench.state().issue_key(&new, Utc::now()).unwrap().id;
    let mut served = bench.serve_with(|_| ()).await;
    let now = stamp(Utc::now());
    let long = "a".repeat(50_000);
    let old = format!("2020{}0101T000000Z", " ".repeat(50_000));
    let (unsigned, not_text) = (format!("X-Amz-{long}: 1"), format!("X-{long}: \u{e9}"));
    let (missing, present) = (format!("{SIGNED};{long}"), format!("{SIGNED};x-{long}"));
    let (now, old, key) = (now.as_str(), old.as_str(), key.as_str());
    let harmless = "Accept: */*";
    for (key, date, signed, header, reason) in [
        (NOBODY, now, SIGNED, unsigned.as_str(), "` is not signed"),
        (key, now, missing.as_str(), harmless, "` is missing"),
        (key, now, present.as_str(), not_text.as_str(), "` is not text"),
        (NOBODY, old, SIGNED, harmless, "the request was signed at 2020"),
    ] {
        let answer = forged(&served, key, date, signed, header).await;
        let text = answer.text();
        assert!(text.contains(reason) && text.len() < 1_000, "{} {text:.500}", text.len());
    }
    served.token = Some(admin);
    let kept = "SELECT count(*) AS kinds, max(length(reason)) < 500 AS short FROM system.logins \
                WHERE NOT accepted";
    assert_eq!(rows(&served, kept).await, json!([{"kinds": 4, "short": true}]));
}

#[tokio::test]
async fn what_strangers_make_up_hides_no_attack_on_a_credential() {
    let bench = bench().await;
    let admin = bench.token_with("root", Role::Admin, None);
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|user| bench.token(user, None));
    // All of it in one hour.
    let now = Utc::now();
    let mut served = bench.serve_with(|options| options.clock = Arc::new(move || now)).await;
    let id_of_alice = alice.split('_').nth(1).unwrap();
    let wrong = |token: &str| Some(format!("{}x", &token[..token.len() - 1]));
    noise(&served, NOBODY, now).await;
    served.token = wrong(&bob);
    assert_eq!(served.get("/v1/stores").await.0, 401);
    served.token = None;
    // Also who knows what a credential is called, which is no secret, hides none of another's.
    noise(&served, id_of_alice, now).await;
    for token in [&bob, &carol, &carol] {
        served.token = wrong(token);
        assert_eq!(served.get("/v1/stores").await.0, 401);
    }
    served.token = Some(admin);
    let refused = "SELECT coalesce(\"user\", '-') AS who, count(*) AS kinds, \
                   sum(requests) AS requests FROM system.logins WHERE NOT accepted \
                   GROUP BY 1 ORDER BY 1";
    let expected = json!([
        {"who": "-", "kinds": 51, "requests": 150},
        {"who": "alice", "kinds": 50, "requests": 150},
        {"who": "bob", "kinds": 1, "requests": 2},
        {"who": "carol", "kinds": 1, "requests": 2},
    ]);
    assert_eq!(rows(&served, refused).await, expected);
    let bob = "SELECT address, reason FROM system.logins WHERE \"user\" = 'bob'";
    let seen = json!([{"address": "127.0.0.1", "reason": "the token is not known"}]);
    assert_eq!(rows(&served, bob).await, seen);
}
