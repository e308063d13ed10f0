//! "Did you mean": the known name that is nearest to an unknown one.

/// Returns the candidate within a third of its length of `typed`, or `None` when all are farther.
pub fn closest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (distance(&typed, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Returns the number of insertions, deletions and substitutions between two texts (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn the_nearest_name_wins_and_a_far_one_is_none() {
        let known = ["lake", "store", "ingest.memory", "query.memory"];
        assert_eq!(closest("laek", known), Some("lake"));
        assert_eq!(closest("Stor", known), Some("store"));
        assert_eq!(closest("ingest.mem", known), Some("ingest.memory"));
        assert_eq!(closest("colour", known), None);
    }
}
