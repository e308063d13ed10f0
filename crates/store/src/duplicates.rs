//! Owned by S2; being written.
