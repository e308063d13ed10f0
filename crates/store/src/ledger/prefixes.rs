//! The first eight bytes of many hashes, sorted: in memory, or set aside on disk.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Hashes of a block on disk: 4 KiB.
const BLOCK: usize = 512;

/// The first eight bytes of the hashes of one ledger file.
#[derive(Debug, Clone)]
pub(super) enum Prefixes {
    Held(Arc<[u64]>),
    SetAside(Arc<SetAside>),
}

/// Sorted prefixes in an unnamed file of this machine, found by the first of each block.
#[derive(Debug)]
pub(super) struct SetAside {
    file: File,
    count: usize,
    firsts: Vec<u64>,
}

impl Prefixes {
    /// Sets sorted prefixes aside: eight bytes a block stay in memory.
    ///
    /// # Errors
    /// When the folder for temporary files cannot be written to.
    pub(super) fn set_aside(sorted: &[u64]) -> io::Result<Prefixes> {
        let file = tempfile::tempfile()?;
        let mut out = BufWriter::new(&file);
        for prefix in sorted {
            out.write_all(&prefix.to_le_bytes())?;
        }
        out.flush()?;
        drop(out);
        let firsts = sorted.chunks(BLOCK).filter_map(|block| block.first().copied()).collect();
        Ok(Prefixes::SetAside(Arc::new(SetAside { file, count: sorted.len(), firsts })))
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Prefixes::Held(prefixes) => size_of_val::<[u64]>(prefixes),
            Prefixes::SetAside(aside) => size_of_val::<[u64]>(&aside.firsts),
        }
    }

    /// Whether a hash may be among them: its prefix is.
    ///
    /// # Errors
    /// When what was set aside cannot be read.
    pub(super) fn hold(&self, prefix: u64) -> io::Result<bool> {
        match self {
            Prefixes::Held(prefixes) => Ok(prefixes.binary_search(&prefix).is_ok()),
            Prefixes::SetAside(aside) => aside.hold(prefix),
        }
    }
}

impl SetAside {
    fn hold(&self, prefix: u64) -> io::Result<bool> {
        // Of equal ones the first may end a block and the others begin the next: any is found.
        let Some(block) = self.firsts.partition_point(|first| *first <= prefix).checked_sub(1)
        else {
            return Ok(false);
        };
        let start = block * BLOCK;
        let mut bytes = vec![0; (self.count - start).min(BLOCK) * size_of::<u64>()];
        self.file.read_exact_at(&mut bytes, (start * size_of::<u64>()) as u64)?;
        let prefixes = bytes
            .chunks_exact(size_of::<u64>())
            .map(|bytes| bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)));
        Ok(prefixes.into_iter().any(|found| found == prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_holds_what_was_held() {
        let counts = [0, 1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7];
        for count in counts {
            // Every third stands there three times, across the ends of blocks too.
            let sorted: Vec<u64> = (0..count as u64).map(|n| n / 3 * 3 * 10 + 5).collect();
            let held = Prefixes::Held(sorted.clone().into());
            let aside = Prefixes::set_aside(&sorted).unwrap();
            for prefix in (0..10 * count as u64 + 20).chain([u64::MAX]) {
                let expected = sorted.contains(&prefix);
                assert_eq!(held.hold(prefix).unwrap(), expected, "{prefix} of {count}");
                assert_eq!(aside.hold(prefix).unwrap(), expected, "{prefix} of {count}");
            }
            assert!(aside.bytes() <= 8 * (count / BLOCK + 1));
        }
    }
}
