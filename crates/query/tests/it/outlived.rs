//! A query that goes on for longer than replaced files are kept.

use chrono::{TimeDelta, Utc};
use futures::StreamExt;
use traillake_query::ErrorKind;
use traillake_store::UpkeepOptions;
use traillake_trino::Parameters;

use crate::lake::{Event, TestLake, spec};

async fn lake() -> TestLake {
    let event = |day: u32| {
        let time = format!("2024-05-{day:02}T00:00:00Z");
        [Event::new(&format!("e{day}"), &time, "s3.amazonaws.com", "CreateBucket")]
    };
    let rounds: Vec<[Event; 1]> = (1..9).map(event).collect();
    TestLake::with(&rounds.iter().map(<[Event; 1]>::as_slice).collect::<Vec<_>>()).await
}

#[tokio::test]
async fn it_hears_that_upkeep_was_there_and_one_that_meets_damage_hears_that() {
    for removed in [true, false] {
        let lake = lake().await;
        let engine = lake.engine().await;
        let sql = "SELECT eventName FROM events WHERE eventSource LIKE '%zon%'";
        let mut answer = engine.query(sql, &Parameters::default()).await.unwrap();
        if removed {
            let writer = lake.lake.writer("default", &spec(), Utc::now()).await.unwrap();
            let far = Utc::now() + TimeDelta::days(30);
            for days in [0, 20] {
                let now = far + TimeDelta::days(days);
                writer.upkeep(&UpkeepOptions::default(), now).await.unwrap();
            }
        } else {
            let folder = lake.folder.path().join("lake/stores/default/events/eventMonth=2024-05");
            for file in std::fs::read_dir(folder).unwrap() {
                std::fs::remove_file(file.unwrap().path()).unwrap();
            }
        }
        let mut heard = None;
        while let Some(batch) = answer.batches.next().await {
            heard = heard.or(batch.err());
        }
        let error = heard.expect("its files are gone");
        assert_eq!(error.kind(), ErrorKind::Lake);
        let said = error.render();
        match removed {
            true => assert!(
                said.contains("was removed meanwhile") && said.contains("ask again"),
                "{said}"
            ),
            false => assert!(said.contains("is damaged: it is missing"), "{said}"),
        }
        assert!(said.contains("default/events/eventMonth=2024-05/part-"), "{said}");
    }
}
