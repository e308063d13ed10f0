//! Reading a path.

use super::{Comparison, Method, Path, Predicate, SqlJsonPath};
use crate::functions::regex::pattern;
use crate::json;

/// Nesting of parentheses, filters and subscripts.
const DEPTH_MAX: usize = 50;
/// Operators, accessors and conditions of one path: evaluation goes as deep as they do.
const NODES_MAX: usize = 300;

impl SqlJsonPath {
    /// Reads a path, which begins with its mode.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim_start();
        let mode = |name: &str| {
            trimmed.strip_prefix(name).filter(|rest| rest.starts_with(char::is_whitespace))
        };
        let (strict, rest) = match (mode("lax"), mode("strict")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => {
                return Err(format!("the JSON path `{text}` must begin with `lax` or `strict`"));
            }
        };
        let mut reader = Reader { all: text, rest, depth: 0, nodes: 0 };
        let root = reader.sum()?;
        reader.space();
        match reader.rest.is_empty() {
            true => Ok(Self { strict, root }),
            false => reader.expected("the end"),
        }
    }
}

struct Reader<'a> {
    all: &'a str,
    rest: &'a str,
    depth: usize,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn accept(&mut self, symbol: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> &'a str {
        self.space();
        let end =
            self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let before = self.rest;
        let accepted = self.word() == word;
        if !accepted {
            self.rest = before;
        }
        accepted
    }

    fn expected<T>(&self, what: &str) -> Result<T, String> {
        let at = self.all.len() - self.rest.len();
        let column = self.all[..at].chars().count() + 1;
        Err(format!("the JSON path `{}` needs {what} at character {column}", self.all))
    }

    fn need(&mut self, symbol: &str) -> Result<(), String> {
        match self.accept(symbol) {
            true => Ok(()),
            false => self.expected(&format!("`{symbol}`")),
        }
    }

    fn deeper(&mut self) -> Result<(), String> {
        self.depth += 1;
        match self.depth > DEPTH_MAX {
            true => Err("the JSON path is nested too deeply".to_owned()),
            false => Ok(()),
        }
    }

    fn node(&mut self) -> Result<(), String> {
        self.nodes += 1;
        match self.nodes > NODES_MAX {
            true => Err("the JSON path is too long".to_owned()),
            false => Ok(()),
        }
    }

    fn sum(&mut self) -> Result<Path, String> {
        self.deeper()?;
        let mut left = self.product()?;
        loop {
            let sign = match (self.accept("+"), self.rest.starts_with('-')) {
                (true, _) => '+',
                (_, true) => {
                    self.accept("-");
                    '-'
                }
                _ => break,
            };
            self.node()?;
            left = Path::Arithmetic(sign, Box::new(left), Box::new(self.product()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn product(&mut self) -> Result<Path, String> {
        let mut left = self.signed()?;
        loop {
            let sign = ['*', '/', '%'].into_iter().find(|sign| self.accept(&sign.to_string()));
            let Some(sign) = sign else { return Ok(left) };
            self.node()?;
            left = Path::Arithmetic(sign, Box::new(left), Box::new(self.signed()?));
        }
    }

    fn signed(&mut self) -> Result<Path, String> {
        if self.accept("-") {
            self.deeper()?;
            let path = self.signed()?;
            self.depth -= 1;
            return Ok(Path::Negative(Box::new(path)));
        }
        self.accept("+");
        let mut path = self.primary()?;
        while let Some(next) = self.accessor(&path)? {
            path = next;
            self.node()?;
        }
        Ok(path)
    }

    fn primary(&mut self) -> Result<Path, String> {
        self.space();
        match self.rest.chars().next() {
            Some('$') => {
                self.accept("$");
                let name = match self.rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
                    true => self.word(),
                    false => "",
                };
                Ok(if name.is_empty() { Path::Context } else { Path::Variable(name.to_owned()) })
            }
            Some('@') => {
                self.accept("@");
                Ok(Path::Current)
            }
            Some('"') => {
                let text = self.quoted()?;
                let mut literal = String::new();
                json::quote(&text, &mut literal);
                Ok(Path::Literal(literal))
            }
            Some('(') => {
                self.accept("(");
                let path = self.sum()?;
                self.need(")")?;
                Ok(path)
            }
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            _ => match self.word() {
                word @ ("true" | "false" | "null") => Ok(Path::Literal(word.to_owned())),
                "last" => Ok(Path::Last),
                _ => self.expected("`$`, `@`, a literal or a parenthesis"),
            },
        }
    }

    fn number(&mut self) -> Result<Path, String> {
        let mut end = 0;
        let bytes = self.rest.as_bytes();
        while let Some(byte) = bytes.get(end) {
            let exponent = matches!(bytes.get(end.wrapping_sub(1)), Some(b'e' | b'E'));
            // `[1 to 2]`, `$[0].size()`: a dot must be followed by a digit.
            let point = *byte == b'.' && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
            let sign = exponent && matches!(byte, b'+' | b'-');
            if !(byte.is_ascii_digit() || matches!(byte, b'e' | b'E') || point || sign) {
                break;
            }
            end += 1;
        }
        let (text, rest) = self.rest.split_at(end);
        if text.parse::<f64>().is_err() {
            return self.expected("a number");
        }
        self.rest = rest;
        let text = if text.starts_with('.') { format!("0{text}") } else { text.to_owned() };
        Ok(Path::Literal(text))
    }

    /// A string in double quotes, with JSON's escapes.
    fn quoted(&mut self) -> Result<String, String> {
        self.need("\"")?;
        let mut escaped = false;
        let end = self.rest.char_indices().find(|(_, c)| {
            let ends = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        let Some((end, _)) = end else { return self.expected("a closing quote") };
        let text = json::unescape(&self.rest[..end]).into_owned();
        self.rest = &self.rest[end + 1..];
        Ok(text)
    }

    fn accessor(&mut self, path: &Path) -> Result<Option<Path>, String> {
        let inner = || Box::new(path.clone());
        if self.accept("..") {
            let name = self.name()?;
            return Ok(Some(Path::Descendants(inner(), name)));
        }
        if self.accept("[") {
            if self.accept("*") {
                self.need("]")?;
                return Ok(Some(Path::AnyElement(inner())));
            }
            let mut subscripts = Vec::new();
            loop {
                let from = self.sum()?;
                let to = if self.accept_word("to") { Some(self.sum()?) } else { None };
                subscripts.push((from, to));
                if !self.accept(",") {
                    break;
                }
            }
            self.need("]")?;
            return Ok(Some(Path::Elements(inner(), subscripts)));
        }
        if self.accept("?") {
            self.need("(")?;
            let predicate = self.either()?;
            self.need(")")?;
            return Ok(Some(Path::Filter(inner(), Box::new(predicate))));
        }
        if !self.accept(".") {
            return Ok(None);
        }
        if self.accept("*") {
            return Ok(Some(Path::AnyMember(inner())));
        }
        let quoted = self.rest.starts_with('"');
        let name = self.name()?;
        if quoted || !self.accept("(") {
            return Ok(Some(Path::Member(inner(), name)));
        }
        let method = match name.as_str() {
            "abs" => Method::Abs,
            "ceiling" => Method::Ceiling,
            "double" => Method::Double,
            "floor" => Method::Floor,
            "keyvalue" => Method::KeyValue,
            "size" => Method::Size,
            "type" => Method::Type,
            _ => return Err(format!("the JSON path method `{name}()` is not supported")),
        };
        self.need(")")?;
        Ok(Some(Path::Method(inner(), method)))
    }

    fn name(&mut self) -> Result<String, String> {
        self.space();
        if self.rest.starts_with('"') {
            return self.quoted();
        }
        match self.word() {
            "" => self.expected("a name; other characters than letters stand in double quotes"),
            name => Ok(name.to_owned()),
        }
    }

    fn either(&mut self) -> Result<Predicate, String> {
        self.deeper()?;
        let mut left = self.both()?;
        while self.accept("||") {
            self.node()?;
            left = Predicate::Or(Box::new(left), Box::new(self.both()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn both(&mut self) -> Result<Predicate, String> {
        let mut left = self.condition()?;
        while self.accept("&&") {
            self.node()?;
            left = Predicate::And(Box::new(left), Box::new(self.condition()?));
        }
        Ok(left)
    }

    fn condition(&mut self) -> Result<Predicate, String> {
        self.space();
        if self.rest.starts_with('!') && !self.rest.starts_with("!=") {
            self.accept("!");
            self.deeper()?;
            let inner = self.condition()?;
            self.depth -= 1;
            return Ok(Predicate::Not(Box::new(inner)));
        }
        if self.accept_word("exists") {
            self.need("(")?;
            let path = self.sum()?;
            self.need(")")?;
            return Ok(Predicate::Exists(path));
        }
        // A parenthesis holds a condition, or a path that is compared.
        let (before, depth) = (self.rest, self.depth);
        if self.accept("(") {
            if let Ok(inner) = self.either()
                && self.accept(")")
            {
                let unknown = self.accept_word("is") && self.accept_word("unknown");
                return Ok(if unknown { Predicate::IsUnknown(Box::new(inner)) } else { inner });
            }
            (self.rest, self.depth) = (before, depth);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Predicate, String> {
        self.node()?;
        let left = self.sum()?;
        let operators = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<>", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        if let Some((_, operator)) = operators.into_iter().find(|(sign, _)| self.accept(sign)) {
            return Ok(Predicate::Compare(operator, left, self.sum()?));
        }
        if self.accept_word("starts") {
            return match self.accept_word("with") {
                true => Ok(Predicate::StartsWith(left, self.sum()?)),
                false => self.expected("`with`"),
            };
        }
        if self.accept_word("like_regex") {
            self.space();
            let text = self.quoted()?;
            let flags = if self.accept_word("flag") { self.quoted()? } else { String::new() };
            let text = if flags.is_empty() { text } else { format!("(?{flags}){text}") };
            let regex = pattern::compile(&text).map_err(|error| error.strip_backtrace())?;
            return Ok(Predicate::LikeRegex(left, regex));
        }
        self.expected("a comparison")
    }
}
