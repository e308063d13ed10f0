//! Plan rules.
