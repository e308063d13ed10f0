//! CloudTrail Lake's API through AWS's own client for Rust, with its signatures and its models.

use std::collections::HashMap;

use aws_credential_types::Credentials;
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::config::{BehaviorVersion, Region};
use aws_sdk_cloudtrail::error::ProvideErrorMetadata as _;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey, QueryStatus};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use chrono::Utc;
use traillake_server::auth::{IssuedKey, Role};
use traillake_server::{CredentialKind, NewCredential};

use crate::lake_api::bench;
use crate::served::{Bench, Served};

fn key(bench: &Bench) -> IssuedKey {
    let new = NewCredential {
        kind: CredentialKind::AccessKey,
        user: "ana".to_owned(),
        role: Role::Read,
        stores: None,
        expires_at: None,
    };
    bench.state().issue_key(&new, Utc::now()).unwrap()
}

fn client(served: &Served, id: &str, secret: &str) -> Client {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let credentials = Credentials::new(id, secret, None, None, "test");
    let config = aws_sdk_cloudtrail::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .region(Region::new("eu-central-1"))
        .credentials_provider(credentials)
        .endpoint_url(format!("http://{}", served.address))
        .build();
    Client::from_conf(config)
}

async fn over(client: &Client, id: &str) -> QueryStatus {
    loop {
        let described = client.describe_query().query_id(id).send().await.unwrap();
        let status = described.query_status().unwrap().clone();
        if ![QueryStatus::Queued, QueryStatus::Running].contains(&status) {
            return status;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_sdk_asks_pages_and_looks_up() {
    let bench = bench().await;
    let IssuedKey { id, secret } = key(&bench);
    let served = bench.serve_with(|_| {}).await;
    let client = client(&served, &id, &secret);
    let stores = client.list_event_data_stores().send().await.unwrap();
    let store = stores.event_data_stores()[0].clone();
    assert_eq!(store.name(), Some("default"));
    let arn = store.event_data_store_arn().unwrap();
    let found = client.get_event_data_store().event_data_store(arn).send().await.unwrap();
    assert_eq!(found.name(), Some("default"));
    assert!(found.created_timestamp().is_some());

    let store = arn.rsplit('/').next().unwrap();
    let sql = format!(
        "SELECT n, eventName, errorCode, 'Größe', nan(), ARRAY[n, NULL] FROM {store} CROSS JOIN UNNEST(sequence(1, 1250)) AS t (n) \
         WHERE requestID = 'r1' ORDER BY n"
    );
    let started = client.start_query().query_statement(sql).send().await.unwrap();
    let query = started.query_id().unwrap();
    assert_eq!(over(&client, query).await, QueryStatus::Finished);
    let mut pages = client.get_query_results().query_id(query).into_paginator().send();
    let mut rows: Vec<Vec<HashMap<String, String>>> = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert_eq!(page.query_statistics().unwrap().total_results_count(), Some(1250));
        rows.extend(page.query_result_rows().iter().cloned());
    }
    let expected = (1..=1250).map(|n: u32| {
        let (n, array) = (n.to_string(), format!("[{n}, null]"));
        let cell = |name: &str, text: &str| HashMap::from([(name.to_owned(), text.to_owned())]);
        [
            cell("n", &n),
            cell("eventName", "PutBucketPolicy"),
            // This client refuses a page with a null in it.
            cell("errorCode", ""),
            cell("_col3", "Größe"),
            cell("_col4", "NaN"),
            cell("_col5", &array),
        ]
    });
    assert_eq!(rows, expected.collect::<Vec<_>>());
    let listed = client.list_queries().event_data_store(arn).send().await.unwrap();
    assert_eq!(listed.queries()[0].query_id(), Some(query));

    let attribute = LookupAttribute::builder()
        .attribute_key(LookupAttributeKey::EventName)
        .attribute_value("PutBucketPolicy")
        .build()
        .unwrap();
    let events = client.lookup_events().lookup_attributes(attribute).max_results(1);
    let mut events = events.into_paginator().items().send();
    let mut ids = Vec::new();
    while let Some(event) = events.next().await {
        ids.push(event.unwrap().event_id().unwrap().to_owned());
    }
    ids.sort();
    let expected = [1, 2].map(|number| format!("00000000-0000-4000-8000-{number:012}"));
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn the_sdk_knows_the_errors() {
    let bench = bench().await;
    let IssuedKey { id, secret } = key(&bench);
    let served = bench.serve_with(|_| {}).await;
    let known = client(&served, &id, &secret);
    let wrong = known.start_query().query_statement("SELEC 1").send().await.unwrap_err();
    assert!(wrong.as_service_error().unwrap().is_invalid_query_statement_exception(), "{wrong:?}");
    let nothing = "00000000-0000-4000-8000-000000000000";
    let missing = known.describe_query().query_id(nothing).send().await.unwrap_err();
    assert!(missing.as_service_error().unwrap().is_query_id_not_found_exception(), "{missing:?}");
    let never = known.list_trails().send().await.unwrap_err();
    assert!(never.as_service_error().unwrap().is_unsupported_operation_exception(), "{never:?}");
    for (id, secret) in [(id.as_str(), "wrong"), ("TLAKAAAAAAAAAAAAAAAA", secret.as_str())] {
        let stranger = client(&served, id, secret);
        let refused = stranger.list_event_data_stores().send().await.unwrap_err();
        let code = refused.as_service_error().unwrap().code();
        assert_eq!(code, Some("UnrecognizedClientException"), "{refused:?}");
    }
}
