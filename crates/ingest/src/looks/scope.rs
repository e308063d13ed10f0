//! What a folder or an object of a bucket can be about, as far as its name says.

use chrono::{Months, NaiveDate, TimeDelta};
use traillake_cloudtrail::{Kind, ObjectKey};

use super::Place;
use super::spans::{Span, midnight};
use crate::options::LATE_DAYS;

/// The last folder above accounts.
const ROOT: &str = "/AWSLogs";

/// What a name leaves open is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(super) root: Option<String>,
    pub(super) account: Option<String>,
    pub(super) region: Option<String>,
    pub(super) kind: Option<Kind>,
    /// Days of delivery, the second not among them.
    pub(super) days: Option<(NaiveDate, NaiveDate)>,
}

impl Scope {
    /// Reads the URL of an object, or of a folder: without a `/` at its end.
    pub(crate) fn of(uri: &str) -> Scope {
        // A member of an archive is as its archive.
        let uri = uri.split("!/").next().unwrap_or(uri).trim_end_matches('/');
        let root = uri.match_indices(ROOT).map(|(at, _)| at + ROOT.len());
        let root = root.filter(|end| matches!(uri.as_bytes().get(*end), None | Some(b'/'))).last();
        let object = ObjectKey::parse(uri);
        let delivered = object.and_then(|key| key.delivered_at).map(|at| at.date_naive());
        let inside = format!("{uri}/-");
        let (account, region, kind) = ObjectKey::parse(&inside)
            .map_or((None, None, None), |key| (key.account, key.region, key.kind));
        let days = delivered.and_then(|day| Some((day, day.succ_opt()?)));
        let days = days.or_else(|| days_of(uri, region?));
        let (account, region) = (account.map(str::to_owned), region.map(str::to_owned));
        Scope { root: root.map(|end| uri[..end].to_owned()), account, region, kind, days }
    }

    /// Whether it holds no events for certain.
    pub(super) fn is_other_kind(&self) -> bool {
        self.kind.is_some_and(|kind| kind != Kind::Events)
    }

    /// Whether what lies there may be of a place.
    pub(super) fn is_about(&self, place: &Place) -> bool {
        let may = |ours: &Option<String>, theirs: Option<&String>| {
            ours.as_ref().is_none_or(|ours| theirs.is_none_or(|theirs| ours == theirs))
        };
        !self.is_other_kind()
            && may(&self.account, Some(&place.account))
            && may(&self.region, place.region.as_ref())
    }

    /// The times of events that may be in what was delivered then.
    pub(super) fn events(&self) -> Span {
        self.days.map_or(Span::ALWAYS, |(first, end)| {
            let since = midnight(first) - TimeDelta::days(LATE_DAYS);
            Span::between(Some(since), midnight(end))
        })
    }
}

/// The days of a folder `…/<region>/yyyy[/mm[/dd]]`.
fn days_of(uri: &str, region: &str) -> Option<(NaiveDate, NaiveDate)> {
    let below = uri.split('/').skip_while(|part| *part != region).skip(1);
    let numbers: Vec<u32> = below.map_while(|part| part.parse().ok()).collect();
    let [year, rest @ ..] = numbers.as_slice() else { return None };
    let (month, day) = (rest.first(), rest.get(1));
    let first = i32::try_from(*year).ok();
    let first = NaiveDate::from_ymd_opt(first?, *month.unwrap_or(&1), *day.unwrap_or(&1))?;
    let end = match (month, day) {
        (_, Some(_)) => first.succ_opt(),
        (Some(_), None) => first.checked_add_months(Months::new(1)),
        (None, None) => first.checked_add_months(Months::new(12)),
    };
    Some((first, end?))
}
