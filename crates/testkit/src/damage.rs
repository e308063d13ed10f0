//! Damage to plant in a lake: what becomes of a file's bytes, and of what a commit of a table's log
//! says of its files.
//!
//! Bytes and actions in, bytes and actions out: where they are kept is the caller's.

use serde_json::{Value, json};

/// Returns the bytes with one bit of that at `at` flipped.
///
/// # Panics
/// When there are not so many.
pub fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 0x10;
    bytes
}

/// Returns the actions of a commit: one a line.
///
/// # Errors
/// When a line of it is no JSON.
pub fn actions(commit: &[u8]) -> serde_json::Result<Vec<Value>> {
    serde_json::Deserializer::from_slice(commit).into_iter::<Value>().collect()
}

/// Returns the commit of these actions.
pub fn commit(actions: &[Value]) -> Vec<u8> {
    actions.iter().flat_map(|action| format!("{action}\n").into_bytes()).collect()
}

/// Has a commit that adds the file at `path`, as the table's log spells it, add one of this `name`
/// too, as the same in everything else. Returns whether it adds that file.
pub fn double(actions: &mut Vec<Value>, path: &str, name: &str) -> bool {
    let Some(mut copy) = actions.iter().find(|action| adds(action, path)).cloned() else {
        return false;
    };
    copy["add"]["path"] = json!(name);
    actions.push(copy);
    count_adds(actions);
    true
}

/// Has a commit add `count` files more, each like its first but for what `alter` makes of that
/// (the `add`, and the file's number). Nothing happens where it adds none.
pub fn multiply(actions: &mut Vec<Value>, count: usize, alter: impl Fn(&mut Value, usize)) {
    let Some(first) = actions.iter().find(|action| action["add"].is_object()).cloned() else {
        return;
    };
    actions.extend((0..count).map(|number| {
        let mut action = first.clone();
        alter(&mut action["add"], number);
        action
    }));
    count_adds(actions);
}

/// Has a commit announce the files that it adds.
fn count_adds(actions: &mut [Value]) {
    let count = actions.iter().filter(|action| action["add"].is_object()).count();
    let info = actions.iter_mut().find(|action| action["commitInfo"].is_object());
    if let Some(info) = info {
        info["commitInfo"]["operationMetrics"]["numAddedFiles"] = json!(count.to_string());
    }
}

/// Has a commit that adds the file at `path` say that it has this size and so many rows, and nothing
/// of what is in it: it no longer contradicts a file that was altered. Returns whether it adds that
/// file.
pub fn agree(actions: &mut [Value], path: &str, size: usize, rows: usize) -> bool {
    let Some(action) = actions.iter_mut().find(|action| adds(action, path)) else { return false };
    action["add"]["size"] = json!(size);
    action["add"]["stats"] = json!(json!({"numRecords": rows}).to_string());
    action["add"]["tags"] = json!({});
    true
}

/// Returns whether an action adds the file at `path`.
pub fn adds(action: &Value, path: &str) -> bool {
    action["add"]["path"].as_str() == Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_says_what_it_is_told_to_say_and_the_rest_as_before() {
        let lines = "{\"commitInfo\":{\"operationMetrics\":{\"numAddedFiles\":\"1\"}}}\n\
                     {\"add\":{\"path\":\"a\",\"size\":9,\"stats\":\"{}\",\"tags\":{\"x\":\"y\"}}}\n";
        let mut told = actions(lines.as_bytes()).unwrap();
        assert_eq!(commit(&told), lines.as_bytes());
        assert!(!double(&mut told, "b", "c") && !agree(&mut told, "b", 1, 1));
        assert!(double(&mut told, "a", "b") && agree(&mut told, "b", 7, 3));
        assert_eq!(told[0]["commitInfo"]["operationMetrics"]["numAddedFiles"], "2");
        assert_eq!(told[1]["add"]["size"], 9);
        let altered = json!({"path": "b", "size": 7, "stats": "{\"numRecords\":3}", "tags": {}});
        assert_eq!(told[2]["add"], altered);
        assert_eq!(flipped(&[0, 0, 0], 1), [0, 0x10, 0]);
    }
}
