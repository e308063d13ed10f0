//! Everything that the sources hold.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::error::Result;
use crate::options::Selection;
use crate::order::{Listed, Objects, Order, time_of};
use crate::progress::CancelFlag;
use crate::report::{Fault, IgnoredLine};
use crate::source::{Found, Ignored, LogSource};

/// What a listing tells on its way: there may be more of it than memory holds.
pub(crate) enum Told {
    /// Something was passed over.
    Ignored(IgnoredLine),
    /// An object could not be had, or a folder or archive could not be looked at.
    Fault(Fault),
}

/// What the sources hold.
pub(crate) struct Listing {
    /// Sources by number; archives found in folders among them.
    pub(crate) sources: Vec<Arc<dyn LogSource>>,
    /// Objects to look at, in the ledger's order.
    pub(crate) objects: Objects,
    /// What was passed over, by reason.
    pub(crate) ignored: BTreeMap<Ignored, u64>,
    /// Objects that the selection leaves out.
    pub(crate) left_out: u64,
    /// When the newest object was delivered, by its key.
    pub(crate) newest_delivery: Option<DateTime<Utc>>,
    /// Objects that could not be had.
    pub(crate) failed: u64,
}

impl Listing {
    /// Lists `sources` and every archive found in them, and tells what is passed over or wrong.
    /// Blocks.
    ///
    /// # Errors
    /// When the temporary folder fails.
    pub(crate) fn of(
        sources: Vec<Arc<dyn LogSource>>,
        selection: &Selection,
        temp_dir: PathBuf,
        cancel: &CancelFlag,
        tell: &mut dyn FnMut(Told),
    ) -> Result<Listing> {
        let mut listing = Listing {
            sources,
            objects: Objects::new(temp_dir, Order::Ledger),
            ignored: BTreeMap::new(),
            left_out: 0,
            newest_delivery: None,
            failed: 0,
        };
        let mut number = 0;
        while let Some(source) = listing.sources.get(number).cloned() {
            listing.list(number, &*source, selection, cancel, tell)?;
            number += 1;
        }
        Ok(listing)
    }

    fn list(
        &mut self,
        number: usize,
        source: &dyn LogSource,
        selection: &Selection,
        cancel: &CancelFlag,
        tell: &mut dyn FnMut(Told),
    ) -> Result<()> {
        let mut group = None;
        let mut outcome = Ok(());
        source.list(&mut |found| {
            match found {
                Found::Object(object) => {
                    let key = object.log_key();
                    let delivered_at = key.delivered_at;
                    self.newest_delivery = self.newest_delivery.max(delivered_at);
                    if !selection.admits(&key) {
                        self.left_out += 1;
                    } else {
                        let at = time_of(&object, &key);
                        if let (None, Some(key)) = (group, source.sequential()) {
                            group = Some((key.len(), at));
                        }
                        let group = group.unwrap_or((object.key.len(), at));
                        let listed = Listed::new(object, delivered_at, number, group);
                        outcome = self.objects.push(listed);
                    }
                }
                Found::Source(inner) => self.sources.push(inner),
                Found::Ignored { object, reason } => {
                    *self.ignored.entry(reason).or_default() += 1;
                    tell(Told::Ignored(IgnoredLine::of(object, reason)));
                }
                Found::Failed { object, kind, reason } => {
                    self.failed += 1;
                    tell(Told::Fault(Fault { object, kind, reason }));
                }
                Found::Fault { object, kind, reason } => {
                    tell(Told::Fault(Fault { object, kind, reason }));
                }
            }
            if outcome.is_err() || cancel.is_cancelled() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        outcome
    }

    /// Returns the number of things found, whatever they are.
    pub(crate) fn found(&self) -> u64 {
        self.objects.count + self.left_out + self.failed + self.ignored.values().sum::<u64>()
    }
}
