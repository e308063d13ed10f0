//! URLs that carry their signature: who has one fetches a result without keys, for a while.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use traillake_server::auth::{IssuedKey, Role};
use traillake_server::{CredentialKind, NewCredential};

use crate::athena_session::{bench, request, run};
use crate::served::{Bench, Served};

fn key(bench: &Bench, user: &str) -> IssuedKey {
    let new = NewCredential {
        kind: CredentialKind::AccessKey,
        user: user.to_owned(),
        role: Role::Read,
        stores: None,
        expires_at: None,
    };
    bench.state().issue_key(&new, Utc::now()).unwrap()
}

fn hmac(key: &[u8], message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Signs the URL of a path as AWS's clients do, good for so many seconds from `at` on.
fn presigned(
    served: &Served,
    key: &IssuedKey,
    path: &str,
    at: DateTime<Utc>,
    seconds: u32,
) -> String {
    let (stamp, day) = (at.format("%Y%m%dT%H%M%SZ"), at.format("%Y%m%d").to_string());
    let query = format!(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F{day}%2Feu-central-1%2Fs3%2F\
         aws4_request&X-Amz-Date={stamp}&X-Amz-Expires={seconds}&X-Amz-SignedHeaders=host",
        key.id
    );
    let host = served.address;
    let canonical = format!("GET\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD");
    let digest = hex(&Sha256::digest(canonical.as_bytes()));
    let scope = format!("{day}/eu-central-1/s3/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}");
    let mut signing = format!("AWS4{}", key.secret).into_bytes();
    for part in scope.split('/') {
        signing = hmac(&signing, part);
    }
    format!("{path}?{query}&X-Amz-Signature={}", hex(&hmac(&signing, &to_sign)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_is_signed_fetches_a_result_and_asks_nothing() {
    let bench = bench().await;
    let (alice, bob) = (key(&bench, "alice"), key(&bench, "bob"));
    let token = bench.token("alice", None);
    let mut served = bench.serve_with(|_| ()).await;
    served.token = Some(token);
    let id = run(&served, "SELECT 1 AS one").await;
    served.token = None;
    let path = format!("/traillake_results/{id}.csv");
    let (now, hour) = (Utc::now(), TimeDelta::hours(1));
    let whole = presigned(&served, &alice, &path, now, 60);
    for (url, status, word) in [
        (whole.clone(), 200, "\"one\"\n\"1\"\n"),
        (presigned(&served, &alice, &path, now - hour, 3_700), 200, "\"one\"\n\"1\"\n"),
        (presigned(&served, &alice, &path, now - hour, 3_500), 403, "is good for 3500 s"),
        (presigned(&served, &bob, &path, now, 60), 404, "NoSuchKey"),
        (whole.replace("Expires=60", "Expires=61"), 403, "does not match"),
        (whole.replace(&path, "/traillake_results/other.csv"), 403, "does not match"),
        (whole.split("&X-Amz-Signature").next().unwrap().to_owned(), 403, "no credentials"),
        (format!("{path}?AWSAccessKeyId=x&Expires=1&Signature=x"), 403, "version 2"),
        (presigned(&served, &alice, "/v1/stores", now, 60), 401, "results alone"),
    ] {
        let found = request(&served, "GET", &url, &[], "").await;
        assert_eq!(found.status, status, "{url}");
        assert!(found.text().contains(word), "{url}: {}", found.text());
    }
    let changed = request(&served, "DELETE", &whole, &[], "").await;
    assert_eq!(changed.status, 403, "{changed:?}");
    // Where nobody says who they are, the signature says nothing.
    served.kill().await;
    let served = bench.serve().await;
    let id = run(&served, "SELECT 2 AS two").await;
    let path = format!("/traillake_results/{id}.csv");
    let url = presigned(&served, &bob, &path, Utc::now(), 60);
    assert_eq!(request(&served, "GET", &url, &[], "").await.text(), "\"two\"\n\"2\"\n");
}
