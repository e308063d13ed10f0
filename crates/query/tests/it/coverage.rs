//! Days that were listed and days that were not, beside what was collected.

use std::sync::Arc;

use chrono::NaiveDate;
use traillake_query::{Engine, EngineOptions, ListedDays, Looks};
use traillake_store::Look;

use crate::ask::{ask, lines};
use crate::lake::{Event, TestLake};

/// Says that whatever the lake keeps of looks, these days are known.
#[derive(Debug)]
struct Known(Vec<ListedDays>);

impl Looks for Known {
    fn days(&self, _: &[Look]) -> Result<Vec<ListedDays>, String> {
        Ok(self.0.clone())
    }
}

fn days(region: Option<&str>, first: u32, last: u32, listed: bool) -> ListedDays {
    let day = |day| NaiveDate::from_ymd_opt(2024, 5, day).unwrap();
    let (account, region) = ("111122223333".to_owned(), region.map(str::to_owned));
    ListedDays { account, region, first_day: day(first), last_day: day(last), listed }
}

fn event(id: &str, at: &str) -> Event {
    Event::new(id, at, "s3.amazonaws.com", "GetObject")
}

/// Two events on the second and one on the fifth of May in the region that events have by default.
async fn engine(change: impl FnOnce(&mut EngineOptions)) -> (TestLake, Engine) {
    let lake = TestLake::with(&[&[
        event("e1", "2024-05-02T00:00:00Z"),
        event("e2", "2024-05-02T23:59:59Z"),
        event("e3", "2024-05-05T12:00:00Z"),
    ]])
    .await;
    let region = Some("eu-central-1");
    let known = vec![
        days(region, 1, 3, true),
        days(region, 4, 6, false),
        days(Some("eu-west-1"), 6, 6, true),
        ListedDays { account: "444455556666".to_owned(), ..days(None, 5, 6, false) },
    ];
    let mut options = EngineOptions { looks: Some(Arc::new(Known(known))), ..lake.options() };
    change(&mut options);
    let engine = Engine::new(lake.lake.clone(), options).await.unwrap();
    (lake, engine)
}

const ALL: &str = "SELECT account, region, day, events, state, listed FROM system.coverage";

#[tokio::test(flavor = "multi_thread")]
async fn every_day_that_is_known_stands_once() {
    let (_lake, engine) = engine(|_| {}).await;
    let read = ask(&engine, &format!("{ALL} ORDER BY account, region, day")).await;
    let expected = [
        "111122223333|eu-central-1|2024-05-01|0|empty|true",
        "111122223333|eu-central-1|2024-05-02|2|collected|true",
        "111122223333|eu-central-1|2024-05-03|0|empty|true",
        "111122223333|eu-central-1|2024-05-04|0|not collected|false",
        "111122223333|eu-central-1|2024-05-05|1|collected|false",
        "111122223333|eu-central-1|2024-05-06|0|not collected|false",
        "111122223333|eu-west-1|2024-05-06|0|empty|true",
        "444455556666|NULL|2024-05-05|0|not collected|false",
        "444455556666|NULL|2024-05-06|0|not collected|false",
    ];
    assert_eq!(lines(&read), expected);
    let filtered = format!("{ALL} WHERE day = DATE '2024-05-04' AND state <> 'collected'");
    assert_eq!(lines(&ask(&engine, &filtered).await), expected[3..4]);
    let spans = "SELECT region, first_day, last_day FROM system.listed WHERE NOT listed ORDER BY 1";
    let expected = ["eu-central-1|2024-05-04|2024-05-06", "NULL|2024-05-05|2024-05-06"];
    assert_eq!(lines(&ask(&engine, spans).await), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_some_days_knows_only_those() {
    let at = |text: &str| text.parse().unwrap();
    let (_lake, engine) = engine(|options| {
        options.since = Some(at("2024-05-03T00:00:00Z"));
        options.until = Some(at("2024-05-05T00:00:00Z"));
    })
    .await;
    let read = ask(&engine, &format!("{ALL} ORDER BY day")).await;
    let expected = [
        "111122223333|eu-central-1|2024-05-03|0|empty|true",
        "111122223333|eu-central-1|2024-05-04|0|not collected|false",
    ];
    assert_eq!(lines(&read), expected);
    assert!(read.notes.iter().any(|note| note.contains("only events from")), "{:?}", read.notes);
}
