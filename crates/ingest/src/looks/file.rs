//! Looks as a file in the lake (docs/format.md). Places of which the same times were listed stand
//! together: most of a bucket's do.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::spans::{Span, Spans};
use super::{Course, Known, Looks, Place};

/// The version of the file.
const FORMAT: u64 = 1;

#[derive(Serialize, Deserialize)]
struct File {
    format: u64,
    looked_at: Option<DateTime<Utc>>,
    /// By the folder above accounts.
    listed: BTreeMap<String, Vec<Group>>,
    /// Runs by what they are over, as far as they came.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    courses: BTreeMap<String, Course>,
}

#[derive(Serialize, Deserialize)]
struct Group {
    /// Pairs of times, the first null for since ever.
    times: Vec<(Option<String>, String)>,
    /// First months by account and region; an account without regions was left out.
    places: BTreeMap<String, BTreeMap<String, Option<String>>>,
}

pub(super) fn write(looks: &Looks) -> Result<String, String> {
    let mut groups: BTreeMap<&str, BTreeMap<&Spans, Group>> = BTreeMap::new();
    for (place, known) in &looks.places {
        let by_times = groups.entry(&place.root).or_default();
        let group = by_times.entry(&known.listed).or_insert_with(|| {
            let times = known.listed.iter().map(spelled).collect();
            Group { times, places: BTreeMap::new() }
        });
        let regions = group.places.entry(place.account.clone()).or_default();
        if let Some(region) = &place.region {
            let first = known.first.map(|first| first.format("%Y-%m").to_string());
            regions.insert(region.clone(), first);
        }
    }
    let listed = groups.into_iter();
    let listed = listed.map(|(root, groups)| (root.to_owned(), groups.into_values().collect()));
    let (looked_at, courses) = (looks.looked_at, looks.courses.clone());
    let file = File { format: FORMAT, looked_at, listed: listed.collect(), courses };
    serde_json::to_string(&file).map_err(|error| error.to_string())
}

pub(super) fn read(bytes: &[u8]) -> Result<Looks, String> {
    let file: File = serde_json::from_slice(bytes)
        .map_err(|error| format!("what was looked at cannot be read: {error}"))?;
    if file.format != FORMAT {
        let format = file.format;
        return Err(format!("what was looked at has format {format}; this version knows {FORMAT}"));
    }
    let (looked_at, courses) = (file.looked_at, file.courses);
    let mut looks = Looks { looked_at, places: BTreeMap::new(), courses };
    for (root, groups) in file.listed {
        for group in groups {
            let spans = group.times.iter().map(span).collect::<Result<Vec<_>, _>>()?;
            let listed = Spans::default().with(spans);
            for (account, regions) in group.places {
                let place = |region| Place { root: root.clone(), account: account.clone(), region };
                if regions.is_empty() {
                    looks.places.insert(place(None), Known::default());
                }
                for (region, first) in regions {
                    let first = first.map(|first| month(&first)).transpose()?;
                    let known = Known { first, listed: listed.clone() };
                    looks.places.insert(place(Some(region)), known);
                }
            }
        }
    }
    Ok(looks)
}

fn spelled(span: Span) -> (Option<String>, String) {
    let text = |seconds: i64| {
        let at = DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default();
        at.to_rfc3339_opts(SecondsFormat::Secs, true)
    };
    ((span.since != i64::MIN).then(|| text(span.since)), text(span.until))
}

fn span((since, until): &(Option<String>, String)) -> Result<Span, String> {
    let time = |text: &String| {
        let parsed = DateTime::parse_from_rfc3339(text);
        parsed.map(|at| at.to_utc()).map_err(|error| format!("`{text}` is no time: {error}"))
    };
    Ok(Span::between(since.as_ref().map(time).transpose()?, time(until)?))
}

fn month(text: &str) -> Result<NaiveDate, String> {
    let parsed = NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d");
    parsed.map_err(|error| format!("`{text}` is no month: {error}"))
}
