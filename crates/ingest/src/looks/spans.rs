//! Spans of time, half open, to the second.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

/// From a second on until another, which is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    /// `i64::MIN`: since ever.
    pub(super) since: i64,
    pub(super) until: i64,
}

/// Disjoint spans in order, none of them empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spans(Vec<Span>);

impl Span {
    pub(super) const ALWAYS: Span = Span { since: i64::MIN, until: i64::MAX };

    /// A second that is cut counts as outside.
    pub(super) fn between(since: Option<DateTime<Utc>>, until: DateTime<Utc>) -> Span {
        let up = |at: DateTime<Utc>| at.timestamp() + i64::from(at.timestamp_subsec_nanos() > 0);
        Span { since: since.map_or(i64::MIN, up), until: until.timestamp() }
    }

    fn is_empty(self) -> bool {
        self.since >= self.until
    }
}

impl Spans {
    pub(super) fn of(span: Span) -> Spans {
        Spans::default().with([span])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Span> + '_ {
        self.0.iter().copied()
    }

    pub(super) fn add_all(&mut self, others: &Spans) {
        *self = std::mem::take(self).with(others.iter());
    }

    pub(super) fn with(self, more: impl IntoIterator<Item = Span>) -> Spans {
        let mut all: Vec<Span> = self.0.into_iter().chain(more).filter(|s| !s.is_empty()).collect();
        all.sort();
        let mut joined: Vec<Span> = Vec::new();
        for span in all {
            match joined.last_mut().filter(|last| span.since <= last.until) {
                Some(last) => last.until = last.until.max(span.until),
                None => joined.push(span),
            }
        }
        Spans(joined)
    }

    pub(super) fn remove(&mut self, gap: Span) {
        let pieces = self.0.iter().flat_map(|span| {
            [
                Span { until: span.until.min(gap.since), ..*span },
                Span { since: span.since.max(gap.until), ..*span },
            ]
        });
        let pieces: Vec<Span> = pieces.collect();
        *self = Spans::default().with(pieces);
    }

    pub(super) fn remove_all(&mut self, gaps: &Spans) {
        gaps.iter().for_each(|gap| self.remove(gap));
    }

    /// Leaves what lies within a span.
    pub(super) fn keep(&mut self, within: Span) {
        self.remove(Span { until: within.since, ..Span::ALWAYS });
        self.remove(Span { since: within.until, ..Span::ALWAYS });
    }
}

pub(super) fn midnight(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(NaiveTime::MIN).and_utc()
}
