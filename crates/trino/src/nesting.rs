//! How deep does a statement nest? Counted on its tokens, before anything recurses over it.
//!
//! The parser counts brackets alone. `1 + 1 + …`, `x::varchar::varchar …` and `… UNION ALL …` it reads
//! in a loop into trees that lean to the left, and whatever then walks such a tree, drops it or asks
//! for its type goes as deep as the chain is long; the time for it grows with the square. Lists are
//! wide, not deep: a comma begins anew. So do AND and OR, whose chains
//! [`balance`](crate::rewrite::conditions::balance) makes flat.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use crate::rewrite::mistakes::at_token;
use crate::{Kind, SqlError};

/// Levels that a statement may nest. A build without optimizations, whose frames are the largest,
/// plans as many set operations, the most expensive level, on half the stack of
/// `traillake_query`'s thread.
const LEVELS_MAX: usize = 250;
/// Conditions that AND and OR may join between two brackets or commas: the parser's tree of them is
/// dropped by recursion until it is balanced.
const CONDITIONS_MAX: usize = 5_000;
/// FROMs of a statement: names of WITH that read each other make as deep a plan as there are names.
const FROMS_MAX: usize = 2_000;

/// Levels of a BETWEEN and of `coalesce`: the engine writes what stands in them twice, so nested
/// ones double with every level.
const BETWEEN_LEVELS: usize = 50;
const COALESCE_LEVELS: usize = 25;

/// Refuses a statement that nests too deeply to be planned.
///
/// # Errors
/// [`Kind::Unsupported`], at the token that goes too deep.
pub(crate) fn check(tokens: &[TokenWithSpan]) -> Result<(), SqlError> {
    let mut nesting = Nesting::default();
    for token in tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))) {
        nesting.read(&token.token);
        let (open, level) = (nesting.levels.len(), nesting.level());
        let (message, hint) = if open.max(level.depth()) > LEVELS_MAX {
            let message = format!("the statement nests more than {LEVELS_MAX} levels deep");
            let hint = "every bracket and every link of a chain (`a + b + c`, `UNION`, `JOIN`, `::`) \
                        is a level; `IN (…)`, VALUES, `concat(…)`, AND and OR are not";
            (message, hint)
        } else if level.conditions > CONDITIONS_MAX {
            let message =
                format!("the statement joins more than {CONDITIONS_MAX} conditions by AND and OR");
            (message, "compare with a list, `IN (…)`, or join a table of VALUES")
        } else if nesting.froms > FROMS_MAX {
            let message = format!("the statement has more than {FROMS_MAX} times `FROM`");
            (message, "join a table of VALUES instead of repeating a query")
        } else {
            continue;
        };
        return Err(at_token(Kind::Unsupported, message, token).with_hint(hint));
    }
    Ok(())
}

/// What stands before a token decides what a word is: `+ and` names a column.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Before {
    /// Nothing, or what begins an expression: an operand comes.
    #[default]
    Start,
    /// DISTINCT: a FROM goes on with the comparison.
    Distinct,
    /// What has a name behind it: `t.case` is a column.
    Name,
    /// An operand that may end here.
    Operand,
}

/// What is open between a bracket, or CASE, and its end. All numbers but the counts are depths of
/// trees: a link puts a level around the whole chain before it, and an operand in brackets is as
/// deep as what is in them.
#[derive(Default)]
struct Level {
    is_case: bool,
    /// Levels that it is itself.
    own: usize,
    /// The chain that is read.
    chain: usize,
    /// The deepest of the chains that AND and OR join so far, and how many they are.
    joined: usize,
    conditions: usize,
    /// BETWEENs whose AND has not come yet.
    betweens: usize,
    /// The deepest of what commas and clauses part.
    items: usize,
    /// Set operations and joins.
    relations: usize,
    /// Behind FROM a comma joins.
    in_from: bool,
}

impl Level {
    fn expression(&self) -> usize {
        // Alternating AND and OR are balanced each.
        let halvings = (usize::BITS - self.conditions.leading_zeros()) as usize;
        self.chain.max(self.joined) + 2 * halvings
    }

    fn depth(&self) -> usize {
        self.expression().max(self.items).max(self.relations)
    }

    fn end_chain(&mut self) {
        self.joined = self.joined.max(self.chain);
        (self.chain, self.betweens) = (0, 0);
    }

    fn end_item(&mut self) {
        self.items = self.items.max(self.expression());
        (self.chain, self.joined, self.conditions, self.betweens) = (0, 0, 0, 0);
    }

    fn join(&mut self) {
        self.end_item();
        self.relations = self.relations.max(self.items) + 1;
    }
}

#[derive(Default)]
struct Nesting {
    /// The level outside of all brackets, once something is read, and those that are open.
    levels: Vec<Level>,
    before: Before,
    froms: usize,
    /// The word before is `coalesce`.
    is_coalesce: bool,
}

impl Nesting {
    fn level(&mut self) -> &mut Level {
        if self.levels.is_empty() {
            self.levels.push(Level::default());
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    fn open(&mut self, is_case: bool) {
        let own = if self.is_coalesce { COALESCE_LEVELS } else { 1 };
        // What is outside of it comes first.
        self.level();
        self.levels.push(Level { is_case, own, ..Level::default() });
        self.before = Before::Start;
    }

    /// Closes a bracket, and every CASE in it that has no end; or the CASE that is read.
    fn close(&mut self, is_case: bool) {
        while self.levels.len() > 1 {
            let Some(closed) = self.levels.pop() else { break };
            let level = self.level();
            level.chain = level.chain.max(closed.depth() + closed.own);
            if closed.is_case == is_case {
                break;
            }
        }
        self.before = Before::Operand;
    }

    fn read(&mut self, token: &Token) {
        match token {
            Token::LParen | Token::LBrace => self.open(false),
            Token::LBracket => {
                self.level().chain += 1;
                self.open(false);
            }
            Token::RParen | Token::RBracket | Token::RBrace => self.close(false),
            Token::Comma | Token::SemiColon => {
                let level = self.level();
                match level.in_from {
                    true => level.join(),
                    false => level.end_item(),
                }
                self.before = Before::Start;
            }
            Token::Word(Word { keyword, quote_style: None, .. }) if self.before != Before::Name => {
                self.word(*keyword);
            }
            Token::Word(_) | Token::Number(..) | Token::Placeholder(_) => {
                self.before = Before::Operand;
            }
            token if is_text(token) => self.before = Before::Operand,
            Token::Period | Token::Colon | Token::DoubleColon | Token::AtSign => {
                self.level().chain += 1;
                self.before = Before::Name;
            }
            _ => {
                self.level().chain += 1;
                self.before = Before::Start;
            }
        }
        self.is_coalesce = matches!(token, Token::Word(word)
            if word.value.eq_ignore_ascii_case("coalesce"));
    }

    fn word(&mut self, word: Keyword) {
        if word == Keyword::FROM && self.before != Before::Distinct {
            self.level().in_from = true;
            self.froms += 1;
        }
        match self.before {
            Before::Operand => self.word_behind_operand(word),
            _ if word == Keyword::CASE => self.open(true),
            _ => {
                self.level().chain += usize::from(word == Keyword::NOT);
                self.before = after(word);
            }
        }
    }

    /// Only here can a word go on with an expression, or end it.
    fn word_behind_operand(&mut self, word: Keyword) {
        let level = self.level();
        match word {
            Keyword::AND if level.betweens > 0 => level.betweens -= 1,
            Keyword::AND | Keyword::OR => {
                level.end_chain();
                level.conditions += 1;
            }
            Keyword::WHEN | Keyword::THEN | Keyword::ELSE if level.is_case => level.end_item(),
            Keyword::END if level.is_case => return self.close(true),
            Keyword::CASE => return self.open(true),
            Keyword::JOIN => level.join(),
            Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT => {
                level.in_from = false;
                level.join();
            }
            Keyword::WHERE | Keyword::GROUP | Keyword::HAVING | Keyword::ORDER => {
                level.in_from = false;
            }
            Keyword::BETWEEN => {
                level.betweens += 1;
                level.chain += BETWEEN_LEVELS;
            }
            _ if LINKS.contains(&word) => level.chain += 1,
            _ => {}
        }
        self.before = after(word);
    }
}

/// Words that put a level around what stands before them.
const LINKS: [Keyword; 15] = [
    Keyword::IS,
    Keyword::IN,
    Keyword::LIKE,
    Keyword::ILIKE,
    Keyword::RLIKE,
    Keyword::REGEXP,
    Keyword::SIMILAR,
    Keyword::NOT,
    Keyword::COLLATE,
    Keyword::AT,
    Keyword::XOR,
    Keyword::DIV,
    Keyword::OVERLAPS,
    Keyword::MEMBER,
    Keyword::MINUS,
];

/// Words that an operand follows, or a name; behind all others an expression may end.
const BEGINNINGS: [Keyword; 23] = [
    Keyword::AND,
    Keyword::OR,
    Keyword::BETWEEN,
    Keyword::TO,
    Keyword::FROM,
    Keyword::ZONE,
    Keyword::ESCAPE,
    Keyword::INTERVAL,
    Keyword::WHEN,
    Keyword::THEN,
    Keyword::ELSE,
    Keyword::SELECT,
    Keyword::WHERE,
    Keyword::ON,
    Keyword::HAVING,
    Keyword::BY,
    Keyword::LIMIT,
    Keyword::ALL,
    Keyword::ANY,
    Keyword::SOME,
    Keyword::OPERATOR,
    Keyword::PRIOR,
    Keyword::OF,
];

fn after(word: Keyword) -> Before {
    match word {
        Keyword::AS | Keyword::OVER | Keyword::COLLATE => Before::Name,
        Keyword::DISTINCT => Before::Distinct,
        word if BEGINNINGS.contains(&word) || LINKS.contains(&word) => Before::Start,
        _ => Before::Operand,
    }
}

fn is_text(token: &Token) -> bool {
    matches!(
        token,
        Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::DollarQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_)
    )
}
