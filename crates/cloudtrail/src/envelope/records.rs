//! Records and digests as they are taken, and what is rejected in their place.

use super::ends::End;
use super::{Body, Halt, Place, Walk, Walker, reason_of};
use crate::form::looks_like_log;
use crate::json::{gap, value};
use crate::window::Window;

/// Values that are nothing of CloudTrail's before an object counts as foreign, where none of its
/// first bytes looks like a record.
const STRANGERS_MAX: u64 = 100;

impl Walker<'_> {
    /// Takes the record at `at`.
    pub(super) fn record(&mut self, at: usize, place: Place) -> Walk<usize> {
        if let Some(text) = self.text.and_then(|text| text.get(at..)) {
            return match self.visit.record(at, text) {
                Ok(length) => Ok(at + length),
                Err(stop) => self.bad_value(at, &reason_of(stop), place),
            };
        }
        let end = match self.sound_end(at)? {
            Ok(end) => end,
            Err(stop) => return self.bad_value(at, &reason_of(stop), place),
        };
        let bytes = &self.window.from(at)[..end - at];
        let reason = match std::str::from_utf8(bytes) {
            Ok(text) => match self.visit.record(at, text) {
                Ok(_) => return Ok(end),
                Err(stop) => reason_of(stop),
            },
            Err(error) => format!("invalid UTF-8 at byte {} of the record", error.valid_up_to()),
        };
        let bytes = &self.window.from(at)[..end - at];
        self.visit.reject(at, reason, bytes.len(), bytes);
        Ok(end)
    }

    /// A value that is no record: a reject, of which an object that is not CloudTrail's has many.
    pub(super) fn bad_value(&mut self, at: usize, reason: &str, place: Place) -> Walk<usize> {
        self.stranger(at)?;
        match self.end_of(at, place)? {
            End::At(end) => {
                let bytes = &self.window.from(at)[..end - at];
                self.visit.reject(at, reason.to_owned(), bytes.len(), bytes);
                Ok(end.max(at + 1))
            }
            End::Cut => Err(self.cut(at)),
            End::Nowhere => {
                let rest = self.window.from(at);
                self.visit.reject(at, reason.to_owned(), rest.len(), rest);
                Err(Halt::End)
            }
            End::Beyond(end, bytes) => Ok(self.too_large(at, end, &bytes)),
        }
    }

    /// Counts a value that is nothing of CloudTrail's, as long as nothing else was found.
    pub(super) fn stranger(&mut self, at: usize) -> Walk<()> {
        if self.body.is_some() {
            return Ok(());
        }
        if self.strangers == 0 {
            let all = self.window.from(0);
            self.is_suspect =
                looks_like_log(if all.is_empty() { self.window.from(at) } else { all });
        }
        self.strangers += 1;
        if self.strangers > STRANGERS_MAX && !self.is_suspect {
            return Err(Halt::Foreign);
        }
        Ok(())
    }

    fn too_large(&mut self, at: usize, end: usize, bytes: &[u8]) -> usize {
        let reason = format!("larger than {} bytes", self.limits.record_bytes_max);
        self.visit.reject(at, reason, end - at, bytes);
        end
    }

    pub(super) fn digest(&mut self, at: usize, place: Place) -> Walk<usize> {
        let known = self.window.from(at);
        let Ok(length) = value(known, 0, self.limits.json_depth_max) else {
            return self.bad_value(at, "invalid JSON", place);
        };
        if std::str::from_utf8(&known[..length]).is_err() {
            return self.bad_value(at, "invalid UTF-8", place);
        }
        // The signature is over the file, line break at its end included.
        let is_all = at == gap(self.window.from(0), 0)
            && gap(known, length) == known.len()
            && matches!(self.window, Window::Held(_));
        let content = if is_all { self.window.from(0) } else { &known[..length] };
        self.visit.digest(at, content);
        self.recognise(Body::Digest);
        Ok(at + length)
    }
}
