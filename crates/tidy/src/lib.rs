//! Rules of the repository, kept as tests: which crate may know which, where a type or a word may
//! appear, how long a line or a file may be, which licences may be linked. The rules stand in
//! `tests/it`; docs/ARCHITECTURE.md explains them.
