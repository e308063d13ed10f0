//! The folders of a bucket that are worth listing.
//!
//! CloudTrail writes to `<prefix>AWSLogs/[<organization>/]<account>/<service>/<region>/yyyy/mm/dd/`.
//! A folder that is not of that layout is listed whole.

use std::collections::BTreeMap;

use chrono::{DateTime, Months, NaiveDate, NaiveTime, Utc};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use traillake_cloudtrail::{ObjectKey, object_key};

use super::Bucket;
use super::lister::{Folder, Page, Stored};
use super::refusal::{self, Attempt};
use crate::error::Result;
use crate::looks::Places;
use crate::options::Selection;
use crate::source::{Found, Ignored};

/// Folders that are asked for at a time: an organization has thousands, and each is a short answer.
const ASKED_AT_ONCE: usize = 64;
/// Folders above `AWSLogs` that are looked through for it; deeper ones are listed whole.
const DEPTH_ABOVE_MAX: usize = 3;

/// The last folder above accounts.
const ROOT: &str = "AWSLogs";

/// What a walk finds.
#[derive(Default)]
pub(super) struct Walked {
    /// Folders by month of delivery, `yyyy/mm`.
    pub(super) months: BTreeMap<String, Vec<Folder>>,
    /// Folders outside of CloudTrail's layout, and folders from a day on.
    pub(super) undated: Vec<Folder>,
    /// What was met on the way: objects between folders, folders passed over, faults.
    pub(super) met: Vec<Met>,
    /// Where CloudTrail delivers to, as far as folders say.
    pub(super) places: Places,
}

/// Something between the folders.
pub(super) enum Met {
    /// An object.
    Object(Stored),
    /// An object of which only the key is known.
    Key(String),
    /// Anything else.
    Found(Found),
}

/// What is to be done with a folder.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Look at the folders in it.
    Enter,
    /// List it whole, with its month where it has one.
    List(Option<String>),
    /// List what it holds after this key.
    ListAfter(String),
    /// It is another service's.
    Other,
    /// The selection leaves all of it out.
    Leave,
}

/// Walks down from the bucket's prefix.
///
/// # Errors
/// When the prefix itself cannot be listed.
pub(super) async fn walk(
    bucket: &Bucket,
    selection: &Selection,
    is_recent: bool,
) -> Result<Walked> {
    let verdict = |folder: &str, below| verdict(folder, below, selection, is_recent);
    let mut walked = Walked::default();
    let top = bucket.prefix.trim_end_matches('/').to_owned();
    let top_depth = depth(&top);
    let judged = verdict(&top, 0);
    walked.meet(&top, &judged, bucket);
    match judged {
        Verdict::Enter => {}
        verdict => {
            walked.take(top, verdict, bucket);
            return Ok(walked);
        }
    }
    let mut pending = vec![top];
    let mut asked = FuturesUnordered::new();
    loop {
        while asked.len() < ASKED_AT_ONCE
            && let Some(folder) = pending.pop()
        {
            asked.push(async { (ask(bucket, &folder).await, folder) });
        }
        let Some((answer, folder)) = asked.next().await else { return Ok(walked) };
        let page = match answer {
            Ok(page) => page,
            Err(error) if depth(&folder) == top_depth => return Err(bucket.refused(&error)),
            Err(error) => {
                let (kind, reason) = refusal::of(&error, Attempt::List, bucket, &folder);
                let object = bucket.uri(&folder);
                walked.met.push(Met::Found(Found::Fault { object, kind, reason }));
                continue;
            }
        };
        match page.next {
            // There may be more than memory holds: a slice lists them again, one after the other.
            Some(_) if !page.objects.is_empty() => walked.undated.push(Folder::flat(folder)),
            _ => walked.met.extend(page.objects.into_iter().map(Met::Object)),
        }
        for below in page.folders {
            let judged = verdict(&below, depth(&below) - top_depth);
            walked.meet(&below, &judged, bucket);
            match judged {
                Verdict::Enter => pending.push(below),
                verdict => walked.take(below, verdict, bucket),
            }
        }
    }
}

/// Returns all folders in a folder, and the objects of the first page that has some.
async fn ask(bucket: &Bucket, folder: &str) -> object_store::Result<Page> {
    let folder = Folder::flat(folder);
    let mut all = bucket.lister.page(&folder, None).await?;
    let mut next = all.next.clone();
    while let Some(token) = next {
        let page = bucket.lister.page(&folder, Some(&token)).await?;
        all.folders.extend(page.folders);
        if all.objects.is_empty() {
            all.objects = page.objects;
        }
        next = page.next;
    }
    Ok(all)
}

impl Walked {
    fn meet(&mut self, folder: &str, verdict: &Verdict, bucket: &Bucket) {
        match verdict {
            Verdict::Enter | Verdict::List(Some(_)) | Verdict::ListAfter(_) => {
                self.places.meet(&bucket.uri(folder), false);
            }
            Verdict::Leave => self.places.meet(&bucket.uri(folder), true),
            Verdict::List(None) | Verdict::Other => {}
        }
    }

    fn take(&mut self, folder: String, verdict: Verdict, bucket: &Bucket) {
        match verdict {
            Verdict::List(Some(month)) => {
                self.months.entry(month).or_default().push(Folder::whole(folder));
            }
            Verdict::List(None) | Verdict::Enter => self.undated.push(Folder::whole(folder)),
            Verdict::ListAfter(key) => {
                let after = Some(key);
                self.undated.push(Folder { after, ..Folder::whole(folder) });
            }
            Verdict::Other => {
                let (object, reason) = (bucket.uri(&folder), Ignored::OtherServiceFolder);
                self.met.push(Met::Found(Found::Ignored { object, reason }));
            }
            Verdict::Leave => tracing::info!(folder, "outside of the selection, not listed"),
        }
    }
}

/// Returns how many folders deep a folder is.
fn depth(folder: &str) -> usize {
    folder.split('/').filter(|part| !part.is_empty()).count()
}

/// Judges a folder, `below` levels below the prefix.
fn verdict(folder: &str, below: usize, selection: &Selection, is_recent: bool) -> Verdict {
    if !folder.split('/').any(|part| part == ROOT) {
        return if below < DEPTH_ABOVE_MAX { Verdict::Enter } else { Verdict::List(None) };
    }
    let inside = format!("{folder}/-");
    if object_key::other_service(&inside).is_some() {
        return Verdict::Other;
    }
    let Some(key) = ObjectKey::parse(&inside) else { return Verdict::List(None) };
    if !selection.admits_place(&key) {
        return Verdict::Leave;
    }
    let mut parts = folder.rsplit_once(ROOT).map_or(folder, |(_, rest)| rest).split('/').skip(1);
    let parts: Vec<&str> = match parts.next() {
        Some(org) if org.starts_with("o-") => parts.collect(),
        first => first.into_iter().chain(parts).collect(),
    };
    match parts.as_slice() {
        [] => Verdict::Enter,
        [_] | [_, _] if key.account.is_some() => Verdict::Enter,
        [_, _, _] if key.region.is_some() => match selection.since {
            Some(since) if is_recent && selection.until.is_none() => {
                Verdict::ListAfter(format!("{folder}/{}", since.format("%Y/%m/%d")))
            }
            _ => Verdict::Enter,
        },
        [_, _, _, year] if key.region.is_some() => year_verdict(year, selection),
        [_, _, _, year, month, day @ ..] if key.region.is_some() => {
            month_verdict(year, month, day, selection)
        }
        _ => Verdict::List(None),
    }
}

/// Judges the folder of a year.
fn year_verdict(year: &str, selection: &Selection) -> Verdict {
    let first = |year: i32| NaiveDate::from_ymd_opt(year, 1, 1).map(midnight);
    let year = year.parse::<i32>().ok();
    let Some((first, end)) = year.and_then(|year| first(year).zip(first(year + 1))) else {
        return Verdict::Enter;
    };
    let is_before = selection.since.is_some_and(|since| end <= since);
    let is_after = selection.delivered_until().is_some_and(|until| first >= until);
    if is_before || is_after { Verdict::Leave } else { Verdict::Enter }
}

/// Judges the folder of a month or a day. A month that the selection cuts is entered.
fn month_verdict(year: &str, month: &str, day: &[&str], selection: &Selection) -> Verdict {
    let label = Some(format!("{year}/{month}"));
    let number = |text: &str| text.parse::<u32>().ok();
    let first = day.first().map_or(Some(1), |day| number(day));
    let first = year.parse::<i32>().ok().zip(number(month)).zip(first);
    let first = first.and_then(|((y, m), d)| NaiveDate::from_ymd_opt(y, m, d));
    let end = match day.is_empty() {
        true => first.and_then(|first| first.checked_add_months(Months::new(1))),
        false => first.and_then(|first| first.succ_opt()),
    };
    let Some((first, end)) = first.zip(end).map(|(first, end)| (midnight(first), midnight(end)))
    else {
        return Verdict::List(None);
    };
    let begins_before = selection.since.is_some_and(|since| first < since);
    let until = selection.delivered_until();
    let ends_after = until.is_some_and(|until| end > until);
    if selection.since.is_some_and(|since| end <= since)
        || until.is_some_and(|until| first >= until)
    {
        Verdict::Leave
    } else if day.is_empty() && (begins_before || ends_after) {
        Verdict::Enter
    } else {
        Verdict::List(label)
    }
}

fn midnight(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_says_what_to_do_with_it() {
        let all = Selection::default();
        let day = |d| midnight(NaiveDate::from_ymd_opt(2024, 3, d).unwrap());
        let some = Selection {
            since: Some(day(10)),
            accounts: ["111122223333".to_owned()].into(),
            regions: ["us-east-1".to_owned()].into(),
            ..Selection::default()
        };
        let check = |folder: &str, selection: &Selection, expected: Verdict| {
            assert_eq!(verdict(folder, 1, selection, false), expected, "{folder}");
        };
        let month = |text: &str| Verdict::List(Some(text.to_owned()));
        let ours = "logs/AWSLogs/o-abc1234567/111122223333/CloudTrail";
        check("logs", &all, Verdict::Enter);
        check("logs/AWSLogs", &all, Verdict::Enter);
        check("AWSLogs/o-abc1234567", &all, Verdict::Enter);
        check("AWSLogs/111122223333", &all, Verdict::Enter);
        check("AWSLogs/111122223333/Config", &all, Verdict::Other);
        check("AWSLogs/111122223333/vpcflowlogs", &all, Verdict::Other);
        check(ours, &all, Verdict::Enter);
        check(&format!("{ours}-Digest/us-east-1/2024/03"), &all, month("2024/03"));
        check(&format!("{ours}/us-east-1"), &all, Verdict::Enter);
        check(&format!("{ours}/us-east-1/2024"), &all, Verdict::Enter);
        check(&format!("{ours}/us-east-1/2024/03"), &all, month("2024/03"));
        check(&format!("{ours}/us-east-1/2024/xx"), &all, Verdict::List(None));
        check(&format!("{ours}/us-east-1/2024/02"), &some, Verdict::Leave);
        check(&format!("{ours}/us-east-1/2024/03"), &some, Verdict::Enter);
        check(&format!("{ours}/us-east-1/2024/03/09"), &some, Verdict::Leave);
        check(&format!("{ours}/us-east-1/2024/03/10"), &some, month("2024/03"));
        check(&format!("{ours}/us-east-1/2024/04"), &some, month("2024/04"));
        check(&format!("{ours}/eu-west-1"), &some, Verdict::Leave);
        check("AWSLogs/444455556666", &some, Verdict::Leave);
        check(&format!("{ours}/us-east-1/2023"), &some, Verdict::Leave);
        check(&format!("{ours}/us-east-1/2024"), &some, Verdict::Enter);
        check(&format!("{ours}/us-east-1/2025"), &some, Verdict::Enter);
        let until = Selection { until: Some(day(10)), ..all.clone() };
        check(&format!("{ours}/us-east-1/2025"), &until, Verdict::Leave);
        let region = format!("{ours}/us-east-1");
        let after = Verdict::ListAfter(format!("{region}/2024/03/10"));
        assert_eq!(verdict(&region, 1, &some, true), after);
        assert_eq!(verdict(&region, 1, &until, true), Verdict::Enter);
    }

    #[test]
    fn what_lies_deep_outside_of_the_layout_is_listed_whole() {
        let all = Selection::default();
        assert_eq!(verdict("a/b/c", 3, &all, false), Verdict::List(None));
        assert_eq!(verdict("a/b/c", 2, &all, false), Verdict::Enter);
    }
}
