//! Retention that nobody watches, by a clock that may be wrong.

use tempfile::TempDir;
use traillake_ingest::{CancelFlag, IngestOptions, Silent, Source, ingest, store_spec};

use super::*;

const KEPT_DAYS: u32 = 60;

struct Year {
    folder: TempDir,
    lake: Lake,
}

impl Year {
    async fn new() -> anyhow::Result<Year> {
        let folder = tempfile::tempdir()?;
        let location = folder.path().join("lake");
        let lake = Lake::open_or_create(&location.to_string_lossy()).await?;
        let year = Year { folder, lake };
        year.bring_in(0, &[]).await?;
        let set = |settings: &mut Settings| {
            settings.retention_days = Some(KEPT_DAYS);
            Ok(())
        };
        year.lake.set_store("default", day(0), set).await?;
        Ok(year)
    }

    /// Brings in an event of each of these days, on a day.
    async fn bring_in(&self, on: i64, days: &[i64]) -> anyhow::Result<()> {
        let event = |of: &i64| {
            let at = day(*of).format("%Y-%m-%dT%H:%M:%SZ");
            format!(
                "{{\"eventVersion\":\"1.08\",\"eventTime\":\"{at}\",\"eventName\":\"GetObject\",\
                 \"eventSource\":\"s3.amazonaws.com\",\"awsRegion\":\"eu-west-1\",\
                 \"eventID\":\"00000000-0000-4000-8000-{:012}\",\
                 \"recipientAccountId\":\"111122223333\"}}",
                of + 10_000
            )
        };
        let records: Vec<String> = days.iter().map(event).collect();
        let log = self.folder.path().join(format!("{on}.json"));
        std::fs::write(&log, format!("{{\"Records\":[{}]}}", records.join(",")))?;
        let writer = Arc::new(self.lake.writer("default", &store_spec(), day(on)).await?);
        let options = IngestOptions::new(None, self.folder.path().to_path_buf());
        let (sources, cancel) = (vec![Source::Path(log)], CancelFlag::default());
        ingest(writer, sources, options, &Silent, &cancel, Utc::now).await?;
        Ok(())
    }

    /// Takes out what is past retention, as an upkeep that nobody watches does by that clock.
    async fn tend(&self, clock: i64) -> anyhow::Result<u64> {
        let left = expire(&self.lake, &self.store().await?, day(clock), false).await?;
        Ok(left.map_or(0, |left| left.rows()))
    }

    async fn store(&self) -> anyhow::Result<StoreInfo> {
        Ok(self.lake.store_info("default").await?)
    }

    async fn events(&self) -> anyhow::Result<u64> {
        count(&self.lake, &self.store().await?, "true", day(0)).await
    }
}

fn day(number: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(19_000 + number)
}

fn is_refused(tended: anyhow::Result<u64>) -> bool {
    tended.is_err_and(|error| format!("{error:#}").contains("more than a month at once"))
}

#[tokio::test]
async fn a_clock_that_jumps_takes_no_more_than_a_month() -> anyhow::Result<()> {
    let year = Year::new().await?;
    for on in 1..=100 {
        year.bring_in(on, &[on]).await?;
        if on % 10 == 0 {
            year.tend(on).await?;
        }
    }
    // Those of the days 40 to 100. One that claims to be of a time to come vouches for nothing.
    year.bring_in(102, &[1_000]).await?;
    assert_eq!(year.events().await?, 62);
    for ahead in [3_650, 1_031, 1_000, 400, 132] {
        assert!(is_refused(year.tend(ahead).await), "a clock on day {ahead}");
        assert_eq!(year.events().await?, 62);
    }
    for behind in [-3_650, 0, 99, 100] {
        assert_eq!(year.tend(behind).await?, 0, "a clock on day {behind}");
    }
    // A month is what it may cost.
    assert_eq!(year.tend(131).await?, 31);
    assert_eq!(year.events().await?, 31);
    // And what comes in when it is right again stays.
    year.bring_in(101, &[101]).await?;
    assert_eq!((year.tend(101).await?, year.events().await?), (0, 32));
    // After a year without a new event nobody vouches for the clock.
    assert!(is_refused(year.tend(500).await));
    Ok(())
}

#[tokio::test]
async fn an_event_that_comes_years_late_keeps_no_others_in() -> anyhow::Result<()> {
    let year = Year::new().await?;
    year.bring_in(30, &[-1_000]).await?;
    for on in 31..=100 {
        year.bring_in(on, &[on]).await?;
    }
    assert_eq!(year.tend(100).await?, 10, "the one of years ago, and days 31 to 39");
    assert_eq!(year.events().await?, 61);
    Ok(())
}
