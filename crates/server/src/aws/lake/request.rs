//! What a request holds, read as the operation's shape says. A member that is null is not there, as
//! in AWS's protocol; members that nothing asks for are left alone, as new clients send new ones.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike as _, Utc};
use serde_json::Value;

use crate::aws::Fault;

/// The earliest and the latest time, both included.
pub(super) type TimeRange = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// The members of a request.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    members: &'a Value,
}

impl<'a> Request<'a> {
    pub(super) fn new(members: &'a Value) -> Request<'a> {
        Request { members }
    }

    /// Returns a member, if it is there.
    pub(super) fn member(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// Returns a text whose characters are as many as the shape allows.
    ///
    /// # Errors
    /// `SerializationException` for another type, `InvalidParameterException` for another length.
    pub(super) fn text(
        &self,
        name: &str,
        length: RangeInclusive<usize>,
    ) -> Result<Option<&'a str>, Fault> {
        self.member(name).map(|value| text_of(name, value, &length)).transpose()
    }

    /// Returns a text that must be there.
    ///
    /// # Errors
    /// As [`Request::text`]; `InvalidParameterException` when it is missing.
    pub(super) fn required(
        &self,
        name: &str,
        length: RangeInclusive<usize>,
    ) -> Result<&'a str, Fault> {
        self.text(name, length)?.ok_or_else(|| invalid(format!("`{name}` is missing")))
    }

    /// Returns a list of texts; an empty one when it is missing.
    ///
    /// # Errors
    /// As [`Request::text`].
    pub(super) fn texts(
        &self,
        name: &str,
        length: RangeInclusive<usize>,
    ) -> Result<Vec<&'a str>, Fault> {
        match self.member(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                items.iter().map(|item| text_of(name, item, &length)).collect()
            }
            Some(_) => Err(malformed(name, "a list")),
        }
    }

    /// Returns how many items a page may have: as many as asked for, else `most`.
    ///
    /// # Errors
    /// `InvalidMaxResultsException` for a number that is not from 1 to `most`.
    pub(super) fn page_size(&self, name: &str, most: usize) -> Result<usize, Fault> {
        let Some(value) = self.member(name) else { return Ok(most) };
        if !value.is_number() {
            return Err(malformed(name, "a number"));
        }
        let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
        size.filter(|size| (1..=most).contains(size)).ok_or_else(|| {
            let message = format!("`{name}` must be from 1 to {most}");
            Fault::new("InvalidMaxResultsException", message)
        })
    }

    /// Returns a time: seconds since 1970.
    ///
    /// # Errors
    /// `SerializationException` for what is no number, or no time from the year 1 to 9999.
    pub(super) fn time(&self, name: &str) -> Result<Option<DateTime<Utc>>, Fault> {
        let Some(value) = self.member(name) else { return Ok(None) };
        let time = match value.as_i64() {
            Some(seconds) => DateTime::from_timestamp(seconds, 0),
            None => value.as_f64().and_then(|seconds| {
                // A number too large to be a time becomes the largest, which is none either.
                DateTime::from_timestamp_micros((seconds * 1e6).round() as i64)
            }),
        };
        let time = time.filter(|time| (1..=9999).contains(&time.year()));
        time.map(Some).ok_or_else(|| malformed(name, "a time in seconds since 1970"))
    }

    /// Returns the earliest and latest time of a request.
    ///
    /// # Errors
    /// As [`Request::time`]; the error `wrong` when the first is after the second.
    pub(super) fn time_range(&self, wrong: &'static str) -> Result<TimeRange, Fault> {
        let range = (self.time("StartTime")?, self.time("EndTime")?);
        match range {
            (Some(start), Some(end)) if start > end => {
                Err(Fault::new(wrong, "`StartTime` is after `EndTime`"))
            }
            range => Ok(range),
        }
    }
}

fn text_of<'a>(
    name: &str,
    value: &'a Value,
    length: &RangeInclusive<usize>,
) -> Result<&'a str, Fault> {
    let text = value.as_str().ok_or_else(|| malformed(name, "a string"))?;
    match length.contains(&text.chars().count()) {
        true => Ok(text),
        false => {
            let (least, most) = (length.start(), length.end());
            Err(invalid(format!("`{name}` must have from {least} to {most} characters")))
        }
    }
}

/// A value of the right type that is not allowed.
pub(super) fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterException", message)
}

/// A value of the wrong type.
pub(super) fn malformed(name: &str, expected: &str) -> Fault {
    Fault::new("SerializationException", format!("`{name}` is not {expected}"))
}
