//! The trails that are measured.

use chrono::NaiveDate;
use clap::ValueEnum;
use traillake_testkit::trail::{Filling, Trail, TrailOptions, days_of_months};

/// A trail of a known shape. The same name and scale give the same bytes everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// A month of five accounts, about 1,500 events an object: 1,000 objects.
    Ordinary,
    /// [`Ordinary`](Self::Ordinary) without its duplicates, to compare with programs that keep
    /// them.
    Unique,
    /// A month of twenty accounts, five events an object: 77,000 objects.
    Tiny,
    /// 24 months of 50 accounts: 36,500 objects of about 100 events.
    Backfill,
    /// What a second trail tells of [`Ordinary`](Self::Ordinary): other objects, no new event.
    Retold,
}

impl Workload {
    /// Returns the trail at `scale` (1 is the size above; objects shrink and grow in number, not
    /// in size).
    pub fn trail(self, scale: f64) -> Trail {
        let first_day = NaiveDate::from_ymd_opt(2023, 1, 1).unwrap_or_default();
        let scaled = |objects: u64| ((objects as f64 * scale).round() as u64).max(1);
        let ordinary = TrailOptions { objects: scaled(1000), ..TrailOptions::default() };
        match self {
            Self::Ordinary => Trail::new(ordinary),
            Self::Unique => Trail::new(TrailOptions { duplicate_share: 0.0, ..ordinary }),
            Self::Retold => Trail::new(ordinary).retold(),
            Self::Tiny => Trail::new(TrailOptions {
                accounts: 20,
                regions: 13,
                objects: scaled(77_000),
                filling: Filling::Exactly(5),
                ..ordinary
            }),
            Self::Backfill => Trail::new(TrailOptions {
                accounts: 50,
                regions: 6,
                first_day,
                days: days_of_months(first_day, 24),
                objects: scaled(36_500),
                filling: Filling::Median(100),
                ..ordinary
            }),
        }
    }
}
