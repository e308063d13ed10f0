//! Events as CloudTrail delivers them: `{"Records":[…]}`, gzipped as one member, under the keys of a
//! trail (CloudTrail User Guide, "CloudTrail log file name format").
//!
//! Names are made from what is in a file, so an export of one selection from one state of a lake is
//! the same folder every time.

use std::io::Write;

use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::folder::{ExportedFile, Folder, Partial};

/// Bytes of events in a file, before compression.
const FILE_BYTES_MAX: u64 = 50 << 20;
/// Files under way at a time; another one ends the file that was begun first.
const FILES_OPEN_MAX: usize = 32;
/// Stands for an account that is not twelve digits. What callers choose never becomes a path.
const NO_ACCOUNT: &str = "000000000000";
/// Stands for a region that is no word.
const NO_REGION: &str = "unknown";

/// Whose event it is, and when: what decides the file it goes to.
#[derive(Clone, Debug)]
pub struct Place {
    /// Account it was delivered to.
    pub account: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Its time.
    pub at: DateTime<Utc>,
}

/// A trail under way.
pub struct Trail<'a> {
    folder: &'a Folder,
    /// `CloudTrail` and the like.
    service: &'static str,
    events_max: u64,
    open: Vec<Open>,
    /// What is complete.
    files: Vec<ExportedFile>,
}

/// A file under way.
struct Open {
    account: String,
    region: String,
    day: String,
    /// The latest of its events: when it could have been delivered.
    last: DateTime<Utc>,
    events: u64,
    bytes: u64,
    partial: Partial,
    sink: GzEncoder<Box<dyn Write + Send>>,
}

impl<'a> Trail<'a> {
    /// Begins a trail of `service` in `folder`, with at most so many events a file.
    pub fn new(folder: &'a Folder, service: &'static str, events_max: u64) -> Trail<'a> {
        Trail { folder, service, events_max, open: Vec::new(), files: Vec::new() }
    }

    /// Adds an event: its original bytes.
    pub fn push(&mut self, place: &Place, record: &[u8]) -> anyhow::Result<()> {
        let account = place.account.as_deref().filter(|text| is_account(text));
        let region = place.region.as_deref().filter(|text| is_region(text));
        let (account, region) = (account.unwrap_or(NO_ACCOUNT), region.unwrap_or(NO_REGION));
        let day = place.at.format("%Y/%m/%d").to_string();
        let is_its =
            |open: &Open| open.account == account && open.region == region && open.day == day;
        let number = match self.open.iter().position(is_its) {
            Some(number) => number,
            None => {
                if self.open.len() == FILES_OPEN_MAX {
                    let first = self.open.remove(0);
                    self.end(first)?;
                }
                self.open.push(Open::begin(self.folder, account, region, day, place.at)?);
                self.open.len() - 1
            }
        };
        let open = &mut self.open[number];
        open.push(place.at, record)?;
        if open.events >= self.events_max || open.bytes >= FILE_BYTES_MAX {
            let open = self.open.remove(number);
            self.end(open)?;
        }
        Ok(())
    }

    /// Ends all files and returns them, by path.
    pub fn finish(mut self) -> anyhow::Result<Vec<ExportedFile>> {
        for open in std::mem::take(&mut self.open) {
            self.end(open)?;
        }
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(self.files)
    }

    fn end(&mut self, open: Open) -> anyhow::Result<()> {
        let Open { account, region, day, last, events, partial, mut sink, .. } = open;
        sink.write_all(b"]}")?;
        sink.finish()?.flush()?;
        let (service, stamp) = (self.service, last.format("%Y%m%dT%H%MZ"));
        let file = self.folder.finish(partial, events, |hash| {
            let unique = unique(hash);
            let name = format!("{account}_{service}_{region}_{stamp}_{unique}.json.gz");
            format!("AWSLogs/{account}/{service}/{region}/{day}/{name}")
        })?;
        self.files.push(file);
        Ok(())
    }
}

impl Open {
    fn begin(
        folder: &Folder,
        account: &str,
        region: &str,
        day: String,
        at: DateTime<Utc>,
    ) -> anyhow::Result<Open> {
        let (partial, sink) = folder.begin()?;
        Ok(Open {
            account: account.to_owned(),
            region: region.to_owned(),
            day,
            last: at,
            events: 0,
            bytes: 0,
            partial,
            sink: GzEncoder::new(sink, Compression::default()),
        })
    }

    fn push(&mut self, at: DateTime<Utc>, record: &[u8]) -> anyhow::Result<()> {
        let before: &[u8] = if self.events == 0 { b"{\"Records\":[" } else { b"," };
        self.sink.write_all(before)?;
        self.sink.write_all(record)?;
        self.events += 1;
        self.bytes += record.len() as u64;
        self.last = self.last.max(at);
        Ok(())
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `eu-west-1`, `us-gov-east-1`.
fn is_region(text: &str) -> bool {
    let is_of = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (2..=32).contains(&text.len()) && text.bytes().all(is_of)
}

/// The part of a name that is random in CloudTrail's: 16 letters and digits, here from the content.
fn unique(hash: &[u8; 32]) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    hash.iter().take(16).map(|byte| char::from(LETTERS[usize::from(*byte) % 62])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_an_event_becomes_a_path() {
        for (text, account, region) in [
            ("123456789012", true, false),
            ("eu-west-1", false, true),
            ("../../etc", false, false),
            ("12345678901²", false, false),
            ("", false, false),
            ("a/b", false, false),
        ] {
            assert_eq!(
                (is_account(text), text.starts_with('1')),
                (account, account || text.starts_with('1'))
            );
            assert_eq!(is_region(text), region || account, "{text}");
        }
        assert_eq!(unique(&[61; 32]), "9999999999999999");
    }
}
