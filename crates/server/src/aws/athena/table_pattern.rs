//! Which tables does an expression mean?

/// Whether a name is one of those that an expression means, from its first letter to its last, in
/// any case. Clients send regular expressions and Glue's patterns; both come to this: `|` stands
/// between alternatives, `.*` and `*` for anything, `.` for one character, `\` before a character
/// for that character.
pub(super) fn is_meant(expression: &str, name: &str) -> bool {
    let expression = expression.trim_start_matches('^').trim_end_matches('$').to_lowercase();
    let name: Vec<char> = name.to_lowercase().chars().collect();
    expression.split('|').any(|pattern| pieces_match(&pieces(pattern.trim()), &name))
}

enum Piece {
    Exactly(char),
    One,
    Any,
}

fn pieces(pattern: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => pieces.extend(chars.next().map(Piece::Exactly)),
            '.' => pieces.push(Piece::One),
            '*' => {
                if matches!(pieces.last(), Some(Piece::One)) {
                    pieces.pop();
                }
                pieces.push(Piece::Any);
            }
            c => pieces.push(Piece::Exactly(c)),
        }
    }
    pieces
}

/// Goes back to the last `*` only, which is enough: no pattern takes longer than its length times
/// the name's.
fn pieces_match(pieces: &[Piece], name: &[char]) -> bool {
    let (mut piece, mut at) = (0, 0);
    let mut last: Option<(usize, usize)> = None;
    while at < name.len() {
        match pieces.get(piece) {
            Some(Piece::Any) => {
                last = Some((piece, at));
                piece += 1;
            }
            Some(Piece::One) => (piece, at) = (piece + 1, at + 1),
            Some(Piece::Exactly(c)) if *c == name[at] => (piece, at) = (piece + 1, at + 1),
            _ => match &mut last {
                Some((any, from)) => {
                    *from += 1;
                    (piece, at) = (*any + 1, *from);
                }
                None => return false,
            },
        }
    }
    pieces[piece.min(pieces.len())..].iter().all(|piece| matches!(piece, Piece::Any))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_mean_whole_names() {
        for (expression, expected) in [
            ("cloudtrail_logs", true),
            ("CloudTrail_Logs", true),
            ("^cloudtrail_logs$", true),
            ("cloudtrail", false),
            ("cloudtrail*", true),
            ("cloudtrail.*", true),
            ("*logs", true),
            ("*trail*", true),
            ("events|cloudtrail_logs", true),
            ("events|insights", false),
            ("cloudtrail.logs", true),
            ("cloudtrail\\_logs", true),
            ("*a*b*", false),
            ("*o*t*l*l*g*", true),
            ("\\", false),
            ("", false),
        ] {
            assert_eq!(is_meant(expression, "cloudtrail_logs"), expected, "{expression}");
        }
    }
}
