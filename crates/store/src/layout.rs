//! The only file that spells paths.
