//! The audit log of a server: who was let in, who was refused, who asked what.

use serde_json::Value;

use crate::folder::Folder;
use crate::served::{Served, token, url};

/// The lines of an answer, as CSV.
fn rows(served: &Served, token: &str, sql: &str) -> Vec<String> {
    let answer = served.get(&format!("{}&format=csv", url(sql)), token).is(200);
    answer.text().lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn logins_and_queries_are_tables_of_ones_own_and_whole_for_an_administrator() {
    let here = Folder::with_lake();
    let alice = token(&here, &["alice"]);
    let bob = token(&here, &["bob", "--role", "ingest"]);
    let admin = token(&here, &["root", "--role", "admin"]);
    let confined = token(&here, &["eve", "--role", "admin", "--only", "default"]);
    let served = Served::start(&here, &[]);
    for token in [&alice, &bob, &confined] {
        served.get(&url("SELECT 'of somebody'"), token).is(200);
    }
    // Right name, wrong secret: the owner of the token hears of it.
    let forged = format!("{}x", &alice[..alice.len() - 1]);
    for _ in 0..3 {
        served.get("/v1/stores", &forged).is(401);
    }
    served.get("/v1/stores", "tl_nobody_nothing").is(401);
    served.ask("GET", "/v1/stores", &[], "").is(401);
    served.ask("GET", "/health", &[], "").is(200);

    let mine = "SELECT \"user\", accepted, requests FROM system.logins ORDER BY accepted DESC";
    let own = rows(&served, &alice, mine);
    assert_eq!(own, ["alice,true,", "alice,false,3"]);
    assert_eq!(rows(&served, &bob, mine), ["bob,true,"]);
    assert_eq!(rows(&served, &confined, mine), ["\"eve [\"\"default\"\"]\",true,"]);
    let all = "SELECT DISTINCT coalesce(\"user\", '-'), accepted, address, reason FROM system.logins \
               ORDER BY 1, 2, 4";
    let all = rows(&served, &admin, all);
    assert_eq!(
        all,
        [
            "-,false,127.0.0.1,the request carries no credentials",
            "-,false,127.0.0.1,the token is not known",
            "alice,false,127.0.0.1,the token is not known",
            "alice,true,127.0.0.1,",
            "bob,true,127.0.0.1,",
            "\"eve [\"\"default\"\"]\",true,127.0.0.1,",
            "root,true,127.0.0.1,",
        ]
    );

    let asked = "SELECT DISTINCT \"user\" FROM system.queries WHERE query LIKE '%of somebody''' \
                 ORDER BY 1";
    assert_eq!(rows(&served, &alice, asked), ["alice"]);
    let everybody = ["alice", "bob", "\"eve [\"\"default\"\"]\""];
    assert_eq!(rows(&served, &admin, asked), everybody);
    let listed = served.get("/v1/queries?everybody=true&limit=1000", &admin).is(200).json();
    let of_alice: Vec<&Value> = listed["queries"].as_array().unwrap().iter().collect();
    let of_alice = of_alice.iter().find(|query| query["user"] == "alice").unwrap();
    for token in [&bob, &confined] {
        served.get("/v1/queries?everybody=true", token).is(403);
    }
    // What an administrator sees is that it was asked, and nothing of the answer.
    let path = format!("/v1/queries/{}", of_alice["query_id"].as_str().unwrap());
    served.get(&path, &admin).is(404);
    served.get(&path, &alice).is(200);
    assert_eq!(served.stop(), 0);
}

#[test]
fn refusals_that_somebody_makes_up_do_not_fill_the_log() {
    let here = Folder::with_lake();
    let admin = token(&here, &["root", "--role", "admin"]);
    let served = Served::start(&here, &[]);
    for number in 0..150 {
        let signature = format!(
            "AWS4-HMAC-SHA256 Credential=TLAKAAAAAAAAAAAAAAAA/20260101/r{number}/s{number}/x, \
             SignedHeaders=host, Signature=00"
        );
        served.ask("GET", "/v1/stores", &[("Authorization", &signature)], "").is(401);
    }
    let refused = "SELECT count(*), sum(requests) FROM system.logins WHERE NOT accepted";
    let counted = rows(&served, &admin, refused);
    let (kinds, requests) = counted[0].split_once(',').unwrap();
    assert_eq!(requests, "150");
    assert!(kinds.parse::<u32>().unwrap() <= 101, "{counted:?}");
    assert_eq!(served.stop(), 0);
}
