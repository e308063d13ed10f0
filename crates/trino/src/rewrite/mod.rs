//! Syntax tree rewrites.
