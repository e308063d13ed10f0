//! How the rows of a fold are spread over time: where a window may end.

use std::ops::Range;

/// Into so many equal parts a span of time is divided; 41 seconds each in a month.
const PARTS: usize = 1 << 16;

/// Rows by part of a span of time. Rows without a time stand at its end.
#[derive(Debug)]
pub(super) struct Times {
    /// Where the first part begins; whatever is earlier than `start` is in it too.
    low: i64,
    start: i64,
    /// Behind the last part. `i64::MAX` has everything later, and what has no time.
    end: i64,
    width: i64,
    counts: Vec<u32>,
}

impl Times {
    /// No rows yet of `range`, most of which are between `start` and `last`.
    pub fn of(range: &Range<i64>, start: i64, last: i64) -> Times {
        let span = last.max(start).abs_diff(start).saturating_add(1);
        let width = span.div_ceil(PARTS as u64);
        let parts = usize::try_from(span.div_ceil(width)).unwrap_or(PARTS);
        let width = i64::try_from(width).unwrap_or(i64::MAX);
        let (low, end) = (range.start, range.end);
        Times { low, start, end, width, counts: vec![0; parts] }
    }

    /// Counts a row.
    pub fn count(&mut self, time: Option<i64>) {
        let place = self.part(time.unwrap_or(i64::MAX));
        self.counts[place] = self.counts[place].saturating_add(1);
    }

    /// How many parts there are.
    pub fn parts(&self) -> usize {
        self.counts.len()
    }

    /// The part a time falls into.
    pub fn part(&self, time: i64) -> usize {
        let place = (i128::from(time) - i128::from(self.start)) / i128::from(self.width);
        usize::try_from(place.max(0)).unwrap_or(usize::MAX).min(self.counts.len() - 1)
    }

    /// The times of some parts.
    pub fn range(&self, parts: &Range<usize>) -> Range<i64> {
        let edge = |part: usize| match part < self.counts.len() {
            true if part == 0 => i128::from(self.low),
            true => i128::from(self.start) + i128::from(self.width) * part as i128,
            false => i128::from(self.end),
        };
        let edge = |part| i64::try_from(edge(part)).unwrap_or(self.end);
        edge(parts.start)..edge(parts.end)
    }

    /// The times of a part when no row stands outside of the span.
    pub fn nominal(&self, part: usize) -> (i64, i64) {
        let start = i128::from(self.start) + i128::from(self.width) * part as i128;
        let of = |time: i128| i64::try_from(time).unwrap_or(i64::MAX);
        (of(start), of(start + i128::from(self.width) - 1))
    }

    /// Whether these are all times there are.
    pub fn are_all(&self) -> bool {
        (self.low, self.end) == (i64::MIN, i64::MAX)
    }

    /// The only one of these parts that holds rows; none when several do.
    pub fn only(&self, parts: &Range<usize>) -> Option<usize> {
        let mut held = parts.clone().filter(|part| self.counts[*part] > 0);
        held.next().filter(|_| held.next().is_none())
    }

    /// Whether a part can be divided further.
    pub fn divides(&self) -> bool {
        self.width > 1
    }

    /// The parts from `from` on, and before `to`, that hold about `aim` rows.
    pub fn window(&self, from: usize, to: usize, aim: usize) -> Range<usize> {
        let rows = |parts: Range<usize>| self.counts[parts].iter().map(|n| *n as usize).sum();
        let rest: usize = rows(from..to);
        // Two even windows rather than a full one and a crumb.
        let aim = match rest {
            all if all <= aim => return from..to,
            all if all < 2 * aim => all.div_ceil(2),
            _ => aim,
        };
        let mut held = 0;
        for part in from..to {
            let next = held + self.counts[part] as usize;
            if next > aim && held > 0 {
                return from..part;
            }
            held = next;
        }
        from..to
    }
}

/// Days that a file is split into, at most: a month.
const DAYS_MAX: i64 = 31;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// All times, parted at `before` and at the end of each day that follows, up to `last`.
pub(super) fn days(before: i64, last: i64) -> Vec<Range<i64>> {
    let edges = (0..=DAYS_MAX).map(|day| before.saturating_add(day * DAY));
    let mut edges: Vec<i64> = edges.take_while(|edge| *edge <= last).collect();
    edges.insert(0, i64::MIN);
    edges.push(i64::MAX);
    edges.dedup();
    edges.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_follow_one_another_from_the_cut_off_on_and_hold_all_times() {
        let all = i64::MIN..i64::MAX;
        assert_eq!(days(DAY, DAY - 1), std::slice::from_ref(&all), "nothing stays");
        assert_eq!(days(0, DAY - 1), [i64::MIN..0, 0..i64::MAX], "one day stays");
        let month = days(0, 30 * DAY);
        assert_eq!(
            (month.len(), month[1].clone(), month[30].clone()),
            (32, 0..DAY, 29 * DAY..30 * DAY)
        );
        let years = days(0, 900 * DAY);
        assert_eq!(years.last(), Some(&(31 * DAY..i64::MAX)));
        for parts in [month, years, days(i64::MAX - 5, i64::MAX)] {
            assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert_eq!(parts[0].start..parts[parts.len() - 1].end, all);
        }
    }

    #[test]
    fn windows_follow_one_another_and_hold_every_row_once() {
        for (start, last) in [(0, 0), (5, 9), (-70_000, 200_000), (i64::MIN, i64::MAX - 1)] {
            let mut times = Times::of(&(i64::MIN..i64::MAX), start, last);
            let step = (i128::from(last) - i128::from(start)) / 100;
            let rows: Vec<i64> = (0..=100).map(|n| (i128::from(start) + n * step) as i64).collect();
            rows.iter().for_each(|time| times.count(Some(*time)));
            times.count(None);
            let (mut from, mut held, mut before) = (0, 0, i64::MIN);
            while from < times.parts() {
                let window = times.window(from, times.parts(), 10);
                assert!(window.start == from && window.end > from);
                let range = times.range(&window);
                assert_eq!(range.start, before);
                let inside = rows.iter().filter(|time| range.contains(*time)).count();
                assert!(inside <= 10 || !times.divides() || window.len() == 1, "{inside}");
                (held, from, before) = (held + inside, window.end, range.end);
            }
            assert_eq!((held, before), (101, i64::MAX));
        }
    }
}
