//! One table, many names.

use crate::ask::{ask, lines, refused};
use crate::lake::{Event, TestLake, now, spec};

async fn two_stores() -> TestLake {
    let lake = TestLake::with(&[&[
        Event::new("a1", "2024-05-01T00:00:00Z", "s3.amazonaws.com", "GetObject"),
        Event::new("a2", "2024-05-02T00:00:00Z", "s3.amazonaws.com", "PutObject"),
    ]])
    .await;
    lake.lake.create_store("archive", &spec(), now()).await.unwrap();
    let event = Event::new("b1", "2020-05-01T00:00:00Z", "s3.amazonaws.com", "GetObject");
    lake.commit("archive", &[event], &[]).await;
    lake
}

#[tokio::test]
async fn every_spelling_of_a_table_finds_it() {
    let lake = two_stores().await;
    let engine = lake.engine().await;
    let stores = lake.lake.stores().await.unwrap();
    let own = stores.iter().find(|store| store.name == "default").unwrap();
    let (id, arn) = (own.id.to_string(), own.arn.clone());
    for (table, rows, noted) in [
        ("events", "2", false),
        ("EVENTS", "2", false),
        ("\"Events\"", "2", false),
        ("\"default\".events", "2", false),
        ("traillake.\"default\".Events", "2", false),
        ("TrailLake.archive.events", "1", false),
        ("archive.events", "1", false),
        ("archive", "1", false),
        (id.as_str(), "2", false),
        (&format!("\"{id}\""), "2", false),
        (&id.to_uppercase(), "2", false),
        (&format!("\"{arn}\""), "2", false),
        (&format!("\"AwsDataCatalog\".\"aws:cloudtrail\".\"{id}\""), "2", false),
        (&format!("\"aws:cloudtrail\".\"{id}\""), "2", false),
        ("security_lake.events", "2", true),
        ("\"AwsDataCatalog\".\"security_lake\".\"events\"", "2", true),
        ("rejects", "0", false),
        ("system.rejects", "0", false),
        ("System.Objects", "1", false),
        ("archive.variants", "0", false),
    ] {
        let read = ask(&engine, &format!("SELECT count(*) FROM {table}")).await;
        assert_eq!(lines(&read), [rows], "{table}");
        assert_eq!(
            !read.notes.iter().all(|note| !note.contains("there is no database")),
            noted,
            "{table}"
        );
    }
}

#[tokio::test]
async fn several_stores_stand_in_one_statement() {
    let lake = two_stores().await;
    let engine = lake.engine().await;
    let sql = "SELECT eventID FROM events UNION ALL SELECT eventID FROM archive.events ORDER BY 1";
    let read = ask(&engine, sql).await;
    assert_eq!(lines(&read), ["a1", "a2", "b1"]);
    let stores: Vec<&str> = read.answer.snapshots.iter().map(|at| at.store.as_str()).collect();
    assert_eq!(stores, ["default", "archive"]);
    assert!(read.answer.snapshots.iter().all(|at| at.token == 1), "{:?}", read.answer.snapshots);
}

#[tokio::test]
async fn headers_keep_the_case_and_the_names_of_the_asker() {
    let lake = two_stores().await;
    let engine = lake.engine().await;
    let sql =
        "SELECT EVENTID, eventid, count(*) OVER (), userIdentity.ARN, lower(eventName) AS Name
               FROM Events ORDER BY eventId LIMIT 1";
    let read = ask(&engine, sql).await;
    assert_eq!(read.headers, ["EVENTID", "eventid", "_col2", "ARN", "Name"]);
    assert_eq!(lines(&read), ["a1|a1|2|NULL|getobject"]);
}

#[tokio::test]
async fn a_star_leaves_hidden_columns_out() {
    let lake = two_stores().await;
    let engine = lake.engine().await;
    let star = ask(&engine, "SELECT * FROM events").await.headers;
    assert_eq!(star[..4], ["eventVersion", "userIdentity", "eventTime", "eventSource"]);
    assert_eq!(star.last().unwrap(), "eventContext");
    for (sql, more) in [
        ("SELECT * FROM events WHERE \"$path\" LIKE '%.gz' AND calendarday > 20200101", vec![]),
        ("SELECT *, _index FROM events WHERE eventJson LIKE '%a1%'", vec!["_index"]),
        ("SELECT e.* FROM events e WHERE e._object > 0", vec![]),
        (
            "SELECT e.*, e.eventJson FROM events e JOIN archive.events a ON e.eventJson <> a.eventJson",
            vec!["eventJson"],
        ),
    ] {
        let mut expected = star.clone();
        expected.extend(more.iter().map(ToString::to_string));
        assert_eq!(ask(&engine, sql).await.headers, expected, "{sql}");
    }
    let both = "SELECT * FROM events e JOIN archive.events a ON e.eventJson <> a.eventJson";
    assert_eq!(ask(&engine, both).await.headers.len(), 2 * star.len());
    let inner = "SELECT eventID, _index FROM (SELECT *, _index FROM events WHERE _index = 1) x";
    assert_eq!(lines(&ask(&engine, inner).await), ["a2|1"]);
}

#[tokio::test]
async fn hidden_columns_tell_where_an_event_came_from() {
    let lake = two_stores().await;
    let engine = lake.engine().await;
    let sql = "SELECT e._index, e.\"$path\", o.object_key = e.\"$path\" AS same, e.calendarday, o.stored
               FROM events e JOIN system.objects o ON o.object_id = e._object WHERE e.eventID = 'a2'";
    let path = "bucket/AWSLogs/111122223333/CloudTrail/default/1714521600-2.json.gz";
    assert_eq!(lines(&ask(&engine, sql).await), [format!("1|{path}|true|20240502|2")]);
}

#[tokio::test]
async fn unknown_names_are_answered_with_near_ones() {
    let lake = two_stores().await;
    let engine = lake.engine().await;
    for (sql, message, hint) in [
        (
            "SELECT eventNam FROM events",
            "column `eventNam` does not exist",
            "did you mean `eventName`?",
        ),
        ("SELECT 1 FROM evnts", "there is no table `evnts`", "did you mean `events`?"),
        ("SELECT 1 FROM objects", "there is no table `objects`", "did you mean `system.objects`?"),
        (
            "SELECT 1 FROM archive.evnts",
            "there is no table `archive.evnts`",
            "did you mean `events`?",
        ),
        (
            "SELECT 1 FROM \"0233062b-51c6-4d18-8dec-a8c90da840d9\"",
            "there is no table `0233062b-51c6-4d18-8dec-a8c90da840d9`",
            "no store of this lake has that id",
        ),
        (
            "SELECT json_extrac_scalar(eventName, 'x') FROM events",
            "function `json_extrac_scalar` does not exist",
            "did you mean `json_extract_scalar`?",
        ),
    ] {
        let rendered = refused(&engine, sql).await.render();
        assert!(rendered.starts_with(message), "{rendered}");
        assert!(rendered.contains(hint), "{rendered}");
        assert!(rendered.contains("\n1 | SELECT") && rendered.contains('^'), "{rendered}");
    }
}

#[tokio::test]
async fn show_and_describe_speak_trino() {
    let lake = two_stores().await;
    let engine = lake.engine().await;
    let tables =
        ["events", "cloudtrail_logs", "insights", "aggregated", "digests", "variants", "rejects"];
    assert_eq!(lines(&ask(&engine, "SHOW TABLES").await), tables);
    assert_eq!(
        lines(&ask(&engine, "SHOW TABLES FROM system LIKE '%s'").await),
        ["objects", "rejects", "variants", "files", "stores"]
    );
    assert_eq!(
        lines(&ask(&engine, "SHOW SCHEMAS").await),
        ["default", "archive", "information_schema", "system"]
    );
    assert_eq!(lines(&ask(&engine, "SHOW CATALOGS").await), ["traillake"]);
    let described = lines(&ask(&engine, "DESCRIBE events").await);
    assert!(described.contains(&"readOnly|boolean||".to_string()), "{described:?}");
    assert!(described.contains(&"requestParameters|map(varchar, varchar)||".to_string()));
    assert!(described.contains(&"calendarday|bigint|hidden|".to_string()));
    assert_eq!(lines(&ask(&engine, "SHOW COLUMNS FROM archive.events").await), described);
    let columns = "SELECT column_name, data_type FROM information_schema.columns
                   WHERE table_schema = 'default' AND table_name = 'events' AND ordinal_position <= 3";
    assert_eq!(lines(&ask(&engine, columns).await)[0], "eventVersion|varchar");
    assert_eq!(engine.tables()[0], "events");
    assert!(engine.tables().contains(&"system.coverage".to_string()));
    let stores = engine.describe("system.stores").unwrap();
    assert_eq!(stores[0], ("name".to_string(), "varchar".to_string()));
    assert!(engine.describe("nothing").is_err());
}
