//! Whole copies, found by the hash of their inflated bytes and never decoded.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use traillake_store::StoreWriter;

use crate::error::Result;
use crate::inspect::{InspectedChunk, InspectedObject, Sight};

/// Finds copies, chunk after chunk as they came: of two equal objects the one that came earlier is
/// read, whatever the workers do.
///
/// The ledger knows what is committed. What is claimed by a chunk under way is kept here until the
/// ledger, asked later, must have known it.
pub(crate) struct Copies {
    writer: Arc<StoreWriter>,
    rehash: bool,
    claims: HashMap<[u8; 32], Claim>,
    claims_from: u64,
    settled: Settled,
}

struct Claim {
    key: Box<str>,
    chunk: u64,
}

/// Number of chunks of which nothing is left to commit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settled(Arc<AtomicU64>);

impl Settled {
    /// Notes that all objects of the first `chunks` chunks are in the ledger, or will not be.
    pub(crate) fn advance(&self, chunks: u64) {
        self.0.fetch_max(chunks, Ordering::AcqRel);
    }
}

impl Copies {
    pub(crate) fn new(writer: Arc<StoreWriter>, rehash: bool, settled: Settled) -> Copies {
        Copies { writer, rehash, claims: HashMap::new(), claims_from: 0, settled }
    }

    /// Marks what is a copy in `chunk`.
    pub(crate) async fn mark(&mut self, mut chunk: InspectedChunk) -> Result<InspectedChunk> {
        let settled = self.settled.0.load(Ordering::Acquire);
        if settled > self.claims_from {
            self.claims_from = settled;
            self.claims.retain(|_, claim| claim.chunk >= settled);
        }
        chunk.claims_from = settled;
        let hashes: Vec<_> = chunk.objects.iter().filter_map(content_hash).collect();
        let stored = self.writer.find_inflated(&hashes).await?;
        for object in &mut chunk.objects {
            let Some(hash) = content_hash(object) else { continue };
            if self.rehash && is_unchanged(object) {
                object.sight = Sight::Unchanged;
            } else if let Some(original) = stored.get(&hash) {
                object.become_copy(original.clone());
            } else if let Some(claim) = self.claims.get(&hash) {
                object.become_copy(claim.key.to_string());
            } else {
                let claim = Claim { key: object.object.key.clone(), chunk: chunk.number };
                self.claims.insert(hash, claim);
            }
        }
        Ok(chunk)
    }
}

impl InspectedObject {
    fn become_copy(&mut self, original: String) {
        let sight = std::mem::replace(&mut self.sight, Sight::Unchanged);
        self.sight = match sight {
            Sight::Fresh(mut inspected, _) => {
                inspected.inflated = None;
                Sight::Copy(inspected, original)
            }
            other => other,
        };
    }
}

/// Returns the hash by which an object can be a copy: not an empty one, for nothing is no content,
/// and not one with a fault, whose inflated bytes may be the beginning of a sound object's.
fn content_hash(object: &InspectedObject) -> Option<[u8; 32]> {
    match &object.sight {
        Sight::Fresh(inspected, _) if inspected.fault.is_none() && inspected.inflated_bytes > 0 => {
            Some(inspected.inflated_sha256)
        }
        _ => None,
    }
}

fn is_unchanged(object: &InspectedObject) -> bool {
    let (Sight::Fresh(inspected, _), Some(before)) = (&object.sight, &object.object.before) else {
        return false;
    };
    before.same_stamp && before.sha256 == Some(inspected.sha256)
}
