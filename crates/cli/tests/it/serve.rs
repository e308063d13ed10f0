//! `traillake serve`, asked over the wire: who is let in, what an answer looks like, how it ends.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::buckets::World;
use crate::folder::{Folder, Ran};
use crate::served::{Served, token, url};

#[test]
fn who_is_not_known_is_not_answered() {
    let here = Folder::with_lake();
    let served = Served::start(&here, &[]);
    let alice = token(&here, &["alice"]);
    let paths = [
        "/v1/stores",
        "/v1/schema",
        "/v1/queries",
        "/v1/samples",
        "/metrics",
        "/ready",
        "/openapi.json",
        "/",
        "/no-such-bucket/key",
    ];
    for path in paths {
        for authorization in [
            "",
            "Bearer",
            "Bearer tl_x_y",
            &format!("Bearer {alice}x"),
            &format!("Bearer {}", &alice[..alice.len() - 1]),
            "Basic !",
            "Basic YWxpY2U6c2VjcmV0",
            "Digest x",
            "AWS4-HMAC-SHA256 Credential=TLAKAAAAAAAAAAAAAAAA/20260101/r/cloudtrail/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature=\
             0000000000000000000000000000000000000000000000000000000000000000",
        ] {
            let reply = served.ask("GET", path, &[("Authorization", authorization)], "");
            // What could be an object's path is refused as S3 refuses.
            let expected = if path == "/no-such-bucket/key" { 403 } else { 401 };
            assert_eq!(reply.status, expected, "{path} {authorization} {reply:?}");
            assert!(!reply.text().contains(&alice), "{path}");
        }
    }
    served.ask("GET", "/health", &[], "").is(200);
    served.get("/v1/stores", &alice).is(200);
    served.get("/no-such-bucket/key", &alice).is(404);
    // What ends or is taken away is refused at once.
    let short = token(&here, &["bob", "--expires", "1s"]);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    assert!(served.get("/v1/stores", &short).is(401).message().contains("ended at"));
    let id = alice.split('_').nth(1).unwrap().to_owned();
    here.run(&["token", "remove", &id, "--state", "state"]).done();
    served.get("/v1/stores", &alice).is(401);
    here.run(&["token", "remove", &id, "--state", "state"]).exited(2);
}

#[test]
fn no_web_page_gets_an_answer() {
    let here = Folder::with_lake();
    let served = Served::start(&here, &["--no-auth", "--host", "lake.example.com"]);
    let ask = |headers: &[(&str, &str)]| served.ask("GET", &url("SELECT 1"), headers, "").status;
    assert_eq!(ask(&[]), 200);
    assert_eq!(ask(&[("Host", "lake.example.com")]), 200);
    assert_eq!(ask(&[("Host", "evil.example")]), 403);
    assert_eq!(ask(&[("Host", "127.0.0.1.evil.example")]), 403);
    assert_eq!(ask(&[("Origin", "http://evil.example")]), 403);
    assert_eq!(ask(&[("Origin", "null")]), 403);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
        let body = json!({"sql": "SELECT 1"}).to_string();
        let reply = served.ask("POST", "/v1/query", &[("Content-Type", kind)], &body).is(400);
        assert!(reply.message().contains("Content-Type"), "{kind}");
    }
    let sql = [("Content-Type", "application/sql")];
    served.ask("POST", "/v1/query?format=csv", &sql, "SELECT 1 AS x").is(200);
}

#[test]
fn an_address_that_others_reach_needs_tls_and_credentials() {
    let here = Folder::with_lake();
    let refused = |args: &[&str], word: &str| {
        let ran =
            here.run(&[&["serve", "--state", "state", "--listen", "0.0.0.0:0"], args].concat());
        let ran = ran.exited(2);
        assert!(ran.stderr.contains(word), "{}", ran.stderr);
    };
    refused(&[], "can be reached from other machines");
    refused(&["--no-auth"], "would open the lake");
    refused(&["--no-auth", "--insecure"], "would open the lake");
    refused(&["--tls-cert", "none.pem", "--tls-key", "none.pem"], "could not use the certificate");
    let ran: Ran = here.run(&["serve", "--state", "state", "--listen", "nowhere"]).exited(2);
    assert!(ran.stderr.contains("is not an address"), "{}", ran.stderr);
    // Behind a proxy that brings TLS it speaks plain HTTP, and asks for credentials all the same.
    let served = Served::start(&here, &["--insecure", "--listen", "0.0.0.0:0"]);
    let host = ("Host", "127.0.0.1");
    served.ask("GET", &url("SELECT 1"), &[host], "").is(401);
    let token = format!("Bearer {}", here.read("state/token").trim());
    served.ask("GET", &url("SELECT 1"), &[host, ("Authorization", &token)], "").is(200);
}

#[test]
fn a_socket_is_its_owners() {
    let here = Folder::with_lake();
    let path = here.path("lake.sock").display().to_string();
    let served = Served::start(&here, &["--no-auth", "--listen", &format!("unix:{path}")]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    served.ask("GET", &url("SELECT 1"), &[("Host", "localhost")], "").is(200);
    let args = ["serve", "--no-auth", "--state", "other", "--listen"];
    let ran = here.run(&[&args[..], &[&format!("unix:{path}")]].concat()).exited(2);
    assert!(ran.stderr.contains("could not listen"), "{}", ran.stderr);
    // Killed, it leaves its socket behind; the next one takes the place.
    drop(served);
    let served = Served::start(&here, &["--no-auth", "--listen", &format!("unix:{path}")]);
    served.ask("GET", "/health", &[("Host", "localhost")], "").is(200);
}

#[test]
fn one_state_has_one_server() {
    let here = Folder::with_lake();
    let _served = Served::start(&here, &[]);
    let ran = here.run(&["serve", "--state", "state", "--listen", "127.0.0.1:0"]).exited(2);
    assert!(ran.stderr.contains("a server uses `state` already"), "{}", ran.stderr);
}

#[test]
fn an_answer_comes_in_every_format() {
    let here = Folder::with_lake();
    let served = Served::start(&here, &["--no-auth"]);
    let sql = "SELECT * FROM (VALUES (1, 'a,\"é\"', 1.5E0), (2, NULL, nan())) AS t(n, s, d)";
    let ask = |format: &str| served.ask("GET", &format!("{}&format={format}", url(sql)), &[], "");
    assert_eq!(ask("csv").is(200).text(), "n,s,d\n1,\"a,\"\"é\"\"\",1.5\n2,,NaN\n");
    let lines = ask("ndjson").is(200);
    let lines: Vec<Value> =
        lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected =
        [json!({"n": 1, "s": "a,\"é\"", "d": 1.5}), json!({"n": 2, "s": null, "d": "NaN"})];
    assert_eq!(lines, expected);
    let object = ask("json").is(200).json();
    assert_eq!(object["rows"], json!(expected));
    assert_eq!(object["row_count"], 2);
    assert_eq!(object["warnings"], json!([]));
    assert!(object["snapshots"][0]["round"].as_i64().unwrap() >= 1, "{object}");
    let arrow = ask("arrow").is(200);
    let reader = arrow::ipc::reader::StreamReader::try_new(arrow.body.as_slice(), None).unwrap();
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 2);
    let parquet = ask("parquet").is(200);
    assert!(parquet.body.starts_with(b"PAR1") && parquet.body.ends_with(b"PAR1"));
    let accept = [("Accept", "text/html, text/csv;q=0.9")];
    let reply = served.ask("GET", &url("SELECT 1 AS x"), &accept, "").is(200);
    assert_eq!(reply.text(), "x\n1\n");
    assert!(served.ask("GET", "/v1/query?sql=SELECT+1&format=xml", &[], "").status == 400);
}

#[test]
fn values_are_bound_and_errors_tell_their_place() {
    let here = Folder::with_lake();
    let served = Served::start(&here, &["--no-auth"]);
    let post = |body: Value| served.post("", &body);
    let hostile = "x' OR '1'='1";
    let reply =
        post(json!({"sql": "SELECT :a AS a, :b AS b", "parameters": {"a": hostile, "b": 7}}));
    assert_eq!(reply.is(200).json()["rows"], json!([{"a": hostile, "b": 7}]));
    let reply = post(json!({"sql": "SELECT ? AS a, ? AS b", "parameters": [true, null]}));
    assert_eq!(reply.is(200).json()["rows"], json!([{"a": true, "b": null}]));
    let by_url = format!("{}&p.name={}", url("SELECT :name AS n"), "O%27Brien");
    let reply = served.ask("GET", &by_url, &[], "").is(200);
    assert_eq!(reply.json()["rows"], json!([{"n": "O'Brien"}]));

    let error = post(json!({"sql": "SELECT evntName FROM events"})).is(400).json();
    assert_eq!(error["error"]["kind"], "statement");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("1 | SELECT evntName") && message.contains("^^^^^^^^"), "{message}");
    assert!(
        message.contains("eventName") || error["error"]["hint"].to_string().contains("eventName")
    );
    for (body, word) in [
        (json!({"sql": "DELETE FROM events"}), "read"),
        (json!({"sql": "SELECT :missing"}), "missing"),
        (json!({"sql": "SELECT 1", "parameters": {"a": {"b": 1}}}), "parameter"),
        (json!({"sql": "SELECT 1", "timeout": -1}), "timeout"),
        (json!({"sql": "SELECT 1", "unheard": 1}), "unheard"),
        (json!({}), "sql"),
        (json!([1]), "malformed"),
    ] {
        let message = post(body.clone()).is(400).message().to_lowercase();
        assert!(message.contains(word), "{body}: {message}");
    }
    // An empty answer says why, here too.
    let empty = post(json!({"sql": "SELECT eventName FROM events WHERE eventTime < '1999-01-01'"}));
    let empty = empty.is(200).json();
    assert_eq!(empty["rows"], json!([]));
    assert!(!empty["warnings"].as_array().unwrap().is_empty(), "{empty}");
}

#[test]
fn an_answer_that_breaks_off_never_looks_whole() {
    let here = Folder::with_lake();
    let served = Served::start(&here, &["--no-auth"]);
    let many = "SELECT a.n FROM UNNEST(sequence(1, 5000)) AS a(n) CROSS JOIN \
                UNNEST(sequence(1, 100)) AS b(m)";
    let ask = |more: &str| served.ask("GET", &format!("{}{more}", url(many)), &[], "");
    let whole = ask("&format=ndjson").is(200);
    assert!(whole.whole && whole.text().lines().count() == 500_000);
    for format in ["json", "ndjson", "csv", "arrow", "parquet"] {
        let cut = ask(&format!("&rows_max=400000&format={format}"));
        assert!(cut.status == 422 || !cut.whole, "{format}: {}", cut.head);
    }
    let none = ask("&rows_max=10");
    assert_eq!(none.is(422).json()["error"]["kind"], "limit");
    let slow = ask("&timeout=0.000001");
    assert_eq!(slow.is(422).json()["error"]["kind"], "limit");
}

#[test]
fn answers_are_delivered_to_places_that_are_listed_and_none_of_the_lakes() {
    let world = World::new();
    let lake = ["--lake", "s3://home/lake"];
    world.run(&[lake[0], lake[1], "ingest", "s3://trail"]).done();
    for place in ["s3://home", "s3://home/lake/", "s3://home/lake/results"] {
        let serve = ["serve", "--state", "state", "--listen", "127.0.0.1:0", "--deliver-to", place];
        let ran = world.run(&[&lake[..], &serve[..]].concat()).exited(2);
        assert!(ran.stderr.contains("overlap"), "{place}: {}", ran.stderr);
    }
    world
        .here
        .write("traillake.toml", "[serve]\ndeliver-to = ['s3://trail', 's3://home/results']\n");
    let served = Served::start_set(&world.here, &["--no-auth"], |command| {
        world.set(command);
        command.args(lake);
    });
    let call = |operation: &str, body: Value| {
        let target = format!("CloudTrail_20131101.{operation}");
        let headers =
            [("X-Amz-Target", target.as_str()), ("Content-Type", "application/x-amz-json-1.1")];
        served.ask("POST", "/", &headers, &body.to_string())
    };
    let sql = "SELECT count(*) AS n FROM events";
    let start =
        |uri: &str| call("StartQuery", json!({"QueryStatement": sql, "DeliveryS3Uri": uri}));
    let refused = start("s3://home/other").is(400).json();
    assert_eq!(refused["__type"], "OperationNotPermittedException");
    let started = start("s3://home/results/team").is(200).json();
    let id = started["QueryId"].as_str().unwrap();
    let status = loop {
        let described = call("DescribeQuery", json!({"QueryId": id})).is(200).json();
        if described["DeliveryStatus"] != "PENDING" {
            break described["DeliveryStatus"].clone();
        }
    };
    assert_eq!(status, "SUCCESS");
    let results = world.s3.bucket_folder("home").join("results/team/AWSLogs/000000000000");
    let found = format!("gunzip -c {}/CloudTrail-Lake/Query/*/*/*/{id}/*", results.display());
    assert_eq!(world.here.sh(&found).done().stdout, "n\n675\n");
}

#[test]
fn what_one_user_asked_does_not_exist_for_another() {
    let here = Folder::with_lake();
    here.run(&["store", "create", "audit"]).done();
    let served = Served::start(&here, &[]);
    let alice = token(&here, &["alice"]);
    let bob = token(&here, &["bob", "--only", "audit"]);
    let id = served.post(&alice, &json!({"sql": "SELECT 42 AS secret"})).is(200).json();
    let id = id["query_id"].as_str().unwrap().to_owned();
    let path = format!("/v1/queries/{id}");
    let described = served.get(&path, &alice).is(200).json();
    assert_eq!(described["status"], "FINISHED");
    assert_eq!(described["row_count"], 1);
    served.get(&path, &bob).is(404);
    served.ask("DELETE", &path, &[("Authorization", &format!("Bearer {bob}"))], "").is(404);
    assert_eq!(served.get("/v1/queries", &bob).is(200).json()["queries"], json!([]));
    // The history is a table too, and each sees their own.
    let history =
        json!({"sql": "SELECT query, status FROM system.queries WHERE query LIKE '%secret'"});
    let expected = json!([{"query": "SELECT 42 AS secret", "status": "FINISHED"}]);
    assert_eq!(served.post(&alice, &history).is(200).json()["rows"], expected);
    let history = json!({"sql": "SELECT count(*) AS n FROM system.queries", "store": "audit"});
    assert_eq!(served.post(&bob, &history).is(200).json()["rows"], json!([{"n": 1}]));
    // A grant holds for the session's store, for every other name, and for what is listed.
    let ask = |store: &str, sql: &str| served.post(&bob, &json!({"sql": sql, "store": store}));
    ask("audit", "SELECT count(*) FROM events").is(200);
    ask("default", "SELECT count(*) FROM events").is(404);
    // As everywhere, a database that does not exist is read as the session's.
    for from in ["\"default\".events", "traillake.\"default\".events"] {
        let answer = ask("audit", &format!("SELECT count(*) AS n FROM {from}"));
        assert_eq!(answer.is(200).json()["rows"], json!([{"n": 0}]), "{from}");
    }
    let stores = served.get("/v1/stores", &bob).is(200).json();
    assert_eq!(stores["stores"].as_array().unwrap().len(), 1, "{stores}");
    let listed = ask("audit", "SELECT name FROM system.stores").is(200).json();
    assert_eq!(listed["rows"], json!([{"name": "audit"}]));
    let schemas = ask("audit", "SELECT DISTINCT table_schema FROM information_schema.tables");
    assert!(!schemas.is(200).text().contains("\"default\""));
}

#[test]
fn a_query_under_way_is_cancelled_and_a_stop_lets_others_end() {
    let here = Folder::with_lake();
    let served = Served::start(&here, &["--no-auth", "--queries", "2"]);
    let long = "SELECT count(*) FROM UNNEST(sequence(1, 5000)) AS a(n) CROSS JOIN \
                UNNEST(sequence(1, 5000)) AS b(n) CROSS JOIN UNNEST(sequence(1, 5000)) AS c(n) \
                WHERE (a.n * b.n + c.n) % 7 = 3";
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| served.ask("GET", &url(long), &[], ""));
        let id = loop {
            let queries = served.ask("GET", "/v1/queries", &[], "").is(200).json();
            if let Some(running) = queries["queries"][0]["query_id"].as_str()
                && queries["queries"][0]["status"] == "RUNNING"
            {
                break running.to_owned();
            }
        };
        served.ask("POST", &format!("/v1/queries/{id}/cancel"), &[], "").is(200);
        let reply = asked.join().unwrap().is(409);
        assert_eq!(reply.json()["error"]["kind"], "cancelled");
        let described = served.ask("GET", &format!("/v1/queries/{id}"), &[], "").is(200).json();
        assert_eq!(described["status"], "CANCELLED");
    });
    let metrics = served.ask("GET", "/metrics", &[], "").is(200);
    let line = "traillake_queries_total{protocol=\"http\",status=\"cancelled\"} 1";
    assert!(metrics.text().lines().any(|found| found == line), "{}", metrics.text());
    served.ask("GET", "/ready", &[], "").is(200);
    served.ask("GET", "/ready?max_lag=0", &[], "").is(503);
    assert_eq!(served.stop(), 0);
}

/// Whoever watches relies on these names.
#[test]
fn the_names_of_metrics_stay() {
    let here = Folder::with_lake();
    let served = Served::start(&here, &["--no-auth"]);
    let metrics = served.ask("GET", "/metrics", &[], "").is(200);
    let names: Vec<&str> =
        metrics.text().lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert_eq!(
        names,
        [
            "traillake_queries_total counter",
            "traillake_query_seconds histogram",
            "traillake_queries_running gauge",
            "traillake_queries_waiting gauge",
            "traillake_rows_returned_total counter",
            "traillake_rows_read_total counter",
            "traillake_bytes_read_total counter",
            "traillake_requests_refused_total counter",
            "traillake_connections_total counter",
            "traillake_connections_refused_total counter",
        ]
    );
}

/// The document names every route, and every route it names is there.
#[test]
fn the_api_describes_itself() {
    let here = Folder::with_lake();
    let served = Served::start(&here, &["--no-auth"]);
    let document = served.ask("GET", "/openapi.json", &[], "").is(200).json();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let path = path.replace("{id}", "00000000-0000-0000-0000-000000000000");
            let reply = served.ask(&method.to_uppercase(), &path, &[], "");
            assert!(![404, 405].contains(&reply.status) || path.contains("0000"), "{path}");
            assert!(!reply.text().contains("no path"), "{path}");
        }
    }
}
