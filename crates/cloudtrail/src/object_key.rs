//! What the key of an object says: account, region, kind and delivery time.
//!
//! Read leniently: with or without organization id and prefixes, names with or without the random
//! part, old names without the `_` before it. Content decides what an object holds; the key only
//! orders the work and names things.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use crate::schema::Kind;

/// The parts of an object key: pieces of the path. To read a path again costs less than to keep them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectKey<'a> {
    /// From `AWSLogs/` on, else the whole path: what digest files name.
    pub logical_key: &'a str,
    /// Organization id (`o-…`) of an organization trail.
    pub org: Option<&'a str>,
    /// Account id, as text: zeros lead.
    pub account: Option<&'a str>,
    /// Region whose events the object holds.
    pub region: Option<&'a str>,
    /// Table that the object's records belong to by its folder; content decides in the end.
    pub kind: Option<Kind>,
    /// Trail name, which only digest files carry.
    pub trail: Option<&'a str>,
    /// When CloudTrail delivered the object: from the file name, else midnight of the key's day.
    pub delivered_at: Option<DateTime<Utc>>,
    /// Whether path or name are those of a CloudTrail log or digest file.
    pub is_cloudtrail: bool,
}

const ROOT: &str = "AWSLogs";
/// Where CloudTrail Lake writes the results of queries.
const LAKE_QUERIES: &str = "CloudTrail-Lake";

impl<'a> ObjectKey<'a> {
    /// Returns what the path says, or nothing for a path without a file name.
    pub fn parse(path: &'a str) -> Option<ObjectKey<'a>> {
        let name = path.rsplit('/').next().filter(|name| !name.is_empty())?;
        let mut key = ObjectKey::unread(path);
        if let Some(rooted) = rooted(path) {
            key.logical_key = rooted;
            key.read_folders(&rooted[..rooted.len() - name.len()]);
        }
        key.read_name(name);
        Some(key)
    }

    /// Returns the key of a path that says nothing.
    pub fn unread(path: &'a str) -> ObjectKey<'a> {
        ObjectKey {
            logical_key: path,
            org: None,
            account: None,
            region: None,
            kind: None,
            trail: None,
            delivered_at: None,
            is_cloudtrail: false,
        }
    }

    /// `AWSLogs/[o-…/]<account>/<service>/<region>/yyyy/mm/dd`, from the last `AWSLogs` on.
    fn read_folders(&mut self, rooted: &'a str) {
        let mut rest = rooted.split('/').skip(1).peekable();
        self.org = rest.next_if(|folder| is_org(folder));
        self.account = rest.next_if(|folder| is_account(folder));
        let Some((kind, _)) = rest.peek().and_then(|folder| kind_of(folder)) else { return };
        rest.next();
        self.is_cloudtrail = true;
        self.kind = Some(kind);
        self.region = rest.next_if(|folder| is_region(folder));
        let mut number = || rest.next()?.parse::<i32>().ok();
        if let (Some(year), Some(month), Some(day)) = (number(), number(), number()) {
            let date = NaiveDate::from_ymd_opt(year, month as u32, day as u32);
            self.delivered_at = date.map(|date| date.and_time(NaiveTime::MIN).and_utc());
        }
    }

    /// `<account>_CloudTrail…_<region>_<time>_<random>`, and
    /// `<account>_CloudTrail-Digest_<region>_<trail>_<home region>_<time>`.
    fn read_name(&mut self, name: &'a str) {
        let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
        let mut parts = stem.split('_');
        let (Some(account), Some(service)) = (parts.next(), parts.next()) else { return };
        let Some((kind, _)) = kind_of(service).filter(|_| is_account(account)) else { return };
        self.is_cloudtrail = true;
        self.kind = self.kind.or(Some(kind));
        self.account = self.account.or(Some(account));
        let rest = &stem[account.len() + service.len() + 1..];
        if let Some((at, time)) = time_in(rest) {
            self.delivered_at = Some(time);
            let before = rest[..at].trim_matches(['_', '-']);
            let (region, between) = before.split_once('_').unwrap_or((before, ""));
            if self.region.is_none() && is_region(region) {
                self.region = Some(region);
            }
            // A trail's name may itself hold `_`; the home region is what follows the last.
            if let (Kind::Digest, Some((trail, _))) = (kind, between.rsplit_once('_')) {
                self.trail = Some(trail);
            }
        }
    }
}

/// Returns a path from its last folder `AWSLogs` on.
fn rooted(path: &str) -> Option<&str> {
    let mut folders = path.rsplit_once('/').map(|(folders, _)| folders);
    while let Some(to_here) = folders {
        let (above, start) = match to_here.rfind('/') {
            Some(at) => (Some(&to_here[..at]), at + 1),
            None => (None, 0),
        };
        if &to_here[start..] == ROOT {
            return Some(&path[start..]);
        }
        folders = above;
    }
    None
}

/// Returns the kind of log that a folder or a part of a name stands for.
fn kind_of(service: &str) -> Option<(Kind, &'static str)> {
    const SERVICES: [(&str, Kind); 6] = [
        ("CloudTrail", Kind::Events),
        ("CloudTrail-NetworkActivity", Kind::Events),
        ("CloudTrail-Insight", Kind::Insights),
        ("CloudTrail-Insights", Kind::Insights),
        ("CloudTrail-Aggregated", Kind::Aggregated),
        ("CloudTrail-Digest", Kind::Digest),
    ];
    SERVICES.iter().find(|(name, _)| *name == service).map(|(name, kind)| (*kind, *name))
}

fn is_org(folder: &str) -> bool {
    folder.starts_with("o-")
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `us-east-1`, `us-gov-west-1`, `ap-southeast-5`, … and whatever AWS names so next.
fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
    parts.clone().count() >= 3
        && text.len() <= 32
        && text.ends_with(|last: char| last.is_ascii_alphanumeric())
        && parts.all(is_word)
}

/// Finds `YYYYMMDDTHHmm[SS]Z` in a name, the last if there are several.
fn time_in(name: &str) -> Option<(usize, DateTime<Utc>)> {
    let bytes = name.as_bytes();
    let mut found = None;
    for (at, _) in name.match_indices('T') {
        let start = at.wrapping_sub(8);
        let digits = |from: usize, to: usize| {
            let digits = name.get(from..to)?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u32>().ok())?
        };
        let seconds = digits(at + 5, at + 7).filter(|_| bytes.get(at + 7) == Some(&b'Z'));
        let read = || {
            let date = NaiveDate::from_ymd_opt(
                i32::try_from(digits(start, start + 4)?).ok()?,
                digits(start + 4, start + 6)?,
                digits(start + 6, at)?,
            )?;
            let (hour, minute) = (digits(at + 1, at + 3)?, digits(at + 3, at + 5)?);
            let time = NaiveTime::from_hms_opt(hour, minute, seconds.unwrap_or(0))?;
            Some(date.and_time(time).and_utc())
        };
        if let Some(time) = read().filter(|_| at >= 8) {
            found = Some((start, time));
        }
    }
    found
}

/// Returns the service when the key is another service's log under `AWSLogs/[o-…/]<account>/`. A
/// file that CloudTrail named is its log wherever it lies.
pub fn other_service(path: &str) -> Option<&str> {
    let mut rest = rooted(path)?.split('/').skip(1).peekable();
    rest.next_if(|folder| is_org(folder));
    rest.next_if(|folder| is_account(folder))?;
    let service = rest.next()?;
    // What stands right in the account's folder is a file, not a service.
    let name = rest.last()?;
    let is_ours = kind_of(service).is_some() || service == LAKE_QUERIES || is_cloudtrail_name(name);
    (!is_ours).then_some(service)
}

/// Returns whether CloudTrail names its logs and digests so: `<account>_CloudTrail…`.
fn is_cloudtrail_name(name: &str) -> bool {
    let mut parts = name.split_once('.').map_or(name, |(stem, _)| stem).split('_');
    parts.next().is_some_and(is_account) && parts.next().and_then(kind_of).is_some()
}

/// Returns whether a path is what file managers leave behind: `._*`, `__MACOSX`, `.DS_Store`, …
pub fn is_junk(path: &str) -> bool {
    let mut folders = path.split('/');
    let name = folders.next_back().unwrap_or_default();
    name.starts_with("._")
        || [".DS_Store", "Thumbs.db", "desktop.ini", ".localized"].contains(&name)
        || path
            .split('/')
            .any(|folder| ["__MACOSX", ".Spotlight-V100", ".fseventsd"].contains(&folder))
}
