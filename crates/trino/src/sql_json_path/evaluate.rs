//! What a path gives for a value: a sequence of items, or an error.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::{Comparison, Method, Path, Predicate, SqlJsonPath};
use crate::json;

/// Items that one path may give.
const ITEMS_MAX: usize = 1_000_000;

/// JSON text of one value.
pub(crate) type Item<'a> = Cow<'a, str>;

/// Why a path gives nothing: an error that `ON ERROR` handles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault(pub(crate) String);

type Items<'a> = Result<Vec<Item<'a>>, Fault>;

fn fault<T>(message: impl Into<String>) -> Result<T, Fault> {
    Err(Fault(message.into()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Boolean,
    Number,
    Text,
    Array,
    Object,
}

impl Kind {
    /// What `type()` calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::Text => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

fn kind(item: &str) -> Kind {
    match item.trim_start().as_bytes().first() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b'"') => Kind::Text,
        Some(b't' | b'f') => Kind::Boolean,
        Some(b'n') | None => Kind::Null,
        _ => Kind::Number,
    }
}

impl SqlJsonPath {
    /// Evaluates the path on a value, with the variables that were passed as JSON text.
    ///
    /// # Errors
    /// [`Fault`], for `ON ERROR`.
    pub(crate) fn items<'a>(
        &'a self,
        value: &'a str,
        variables: &'a [(String, String)],
    ) -> Items<'a> {
        let at = Point {
            strict: self.strict,
            context: value.trim(),
            variables,
            current: None,
            last: None,
        };
        at.path(&self.root)
    }
}

/// Where a path is being evaluated.
#[derive(Clone)]
struct Point<'a> {
    strict: bool,
    context: &'a str,
    variables: &'a [(String, String)],
    current: Option<Item<'a>>,
    last: Option<usize>,
}

impl<'a> Point<'a> {
    fn path(&self, path: &'a Path) -> Items<'a> {
        let items = match path {
            Path::Context => vec![Cow::Borrowed(self.context)],
            Path::Current => match &self.current {
                Some(item) => vec![item.clone()],
                None => return fault("`@` stands outside of a filter"),
            },
            Path::Variable(name) => {
                let found = self.variables.iter().find(|(known, _)| known == name);
                match found {
                    Some((_, value)) => vec![Cow::Borrowed(value.as_str())],
                    None => return fault(format!("no value was passed for `${name}`")),
                }
            }
            Path::Last => match self.last {
                Some(last) => vec![Cow::Owned(last.to_string())],
                None => return fault("`last` stands outside of a subscript"),
            },
            Path::Literal(text) => vec![Cow::Borrowed(text.as_str())],
            Path::Negative(inner) => {
                let items = self.unwrapped(self.path(inner)?);
                let negative = |item: Item<'a>| Ok(written(-self.number(&item)?));
                items.into_iter().map(negative).collect::<Items>()?
            }
            Path::Arithmetic(sign, left, right) => {
                let (left, right) = (self.single_number(left)?, self.single_number(right)?);
                vec![written(arithmetic(*sign, left, right)?)]
            }
            Path::Member(inner, name) => self.members(self.path(inner)?, Some(name))?,
            Path::AnyMember(inner) => self.members(self.path(inner)?, None)?,
            Path::Descendants(inner, name) => {
                let mut found = Vec::new();
                for item in self.path(inner)? {
                    descendants(item, name, &mut found);
                }
                found
            }
            Path::AnyElement(inner) => {
                let mut found = Vec::new();
                for item in self.path(inner)? {
                    found.extend(self.elements_of(item)?);
                }
                found
            }
            Path::Elements(inner, subscripts) => {
                let mut found = Vec::new();
                for item in self.path(inner)? {
                    self.subscript(item, subscripts, &mut found)?;
                }
                found
            }
            Path::Filter(inner, predicate) => {
                let mut found = Vec::new();
                for item in self.unwrapped(self.path(inner)?) {
                    let inside = Point { current: Some(item.clone()), ..self.clone() };
                    if inside.holds(predicate) == Some(true) {
                        found.push(item);
                    }
                }
                found
            }
            Path::Method(inner, method) => self.method(self.path(inner)?, *method)?,
        };
        match items.len() > ITEMS_MAX {
            true => fault(format!("the path gives more than {ITEMS_MAX} items")),
            false => Ok(items),
        }
    }

    /// In lax mode, arrays stand for their elements.
    fn unwrapped(&self, items: Vec<Item<'a>>) -> Vec<Item<'a>> {
        if self.strict || items.iter().all(|item| kind(item) != Kind::Array) {
            return items;
        }
        let unwrap = |item: Item<'a>| match kind(&item) {
            Kind::Array => parts(item, |text| json::elements(text).map(Iterator::collect)),
            _ => vec![item],
        };
        items.into_iter().flat_map(unwrap).collect()
    }

    fn members(&self, items: Vec<Item<'a>>, name: Option<&String>) -> Items<'a> {
        let mut found = Vec::new();
        for item in self.unwrapped(items) {
            if kind(&item) != Kind::Object {
                match self.strict {
                    true => return fault("a member was asked of a value that is no object"),
                    false => continue,
                }
            }
            let values = parts(item, |text| {
                let all = json::members(text)?;
                let wanted = |key: &str| name.is_none_or(|name| json::unescape(key) == *name);
                Some(all.filter(|(key, _)| wanted(key)).map(|(_, value)| value).collect())
            });
            if values.is_empty() && self.strict && name.is_some() {
                return fault("an object has no such member");
            }
            found.extend(values);
        }
        Ok(found)
    }

    /// The elements of an array; in lax mode another value is an array of itself.
    fn elements_of(&self, item: Item<'a>) -> Items<'a> {
        match (kind(&item), self.strict) {
            (Kind::Array, _) => Ok(parts(item, |text| json::elements(text).map(Iterator::collect))),
            (_, true) => fault("an element was asked of a value that is no array"),
            (_, false) => Ok(vec![item]),
        }
    }

    fn subscript(
        &self,
        item: Item<'a>,
        subscripts: &'a [(Path, Option<Path>)],
        found: &mut Vec<Item<'a>>,
    ) -> Result<(), Fault> {
        let elements = self.elements_of(item)?;
        let inside = Point { last: Some(elements.len().saturating_sub(1)), ..self.clone() };
        for (from, to) in subscripts {
            let from = inside.single_number(from)?.trunc();
            let to = to.as_ref().map_or(Ok(from), |to| inside.single_number(to).map(f64::trunc))?;
            let outside = from < 0.0 || to >= elements.len() as f64 || from > to;
            if outside && self.strict {
                return fault("a subscript lies outside of the array");
            }
            let (from, to) = (from.max(0.0) as usize, if to < 0.0 { 0 } else { to as usize + 1 });
            let range = from..to.min(elements.len());
            found.extend(elements.get(range).unwrap_or_default().iter().cloned());
            if found.len() > ITEMS_MAX {
                return fault(format!("the path gives more than {ITEMS_MAX} items"));
            }
        }
        Ok(())
    }

    fn method(&self, items: Vec<Item<'a>>, method: Method) -> Items<'a> {
        let items = match method {
            Method::Size | Method::Type => items,
            _ => self.unwrapped(items),
        };
        if method == Method::KeyValue {
            return key_values(&items);
        }
        let one = |item: Item<'a>| {
            Ok(match method {
                Method::Abs => written(self.number(&item)?.abs()),
                Method::Ceiling => written(self.number(&item)?.ceil()),
                Method::Floor => written(self.number(&item)?.floor()),
                Method::Double if kind(&item) == Kind::Text => {
                    let text = json::text(&item).unwrap_or_default();
                    match text.trim().parse() {
                        Ok(number) => written(number),
                        Err(_) => return fault(format!("`{text}` is not a number")),
                    }
                }
                Method::Double => written(self.number(&item)?),
                Method::Size => Cow::Owned(self.elements_of(item)?.len().to_string()),
                Method::Type | Method::KeyValue => {
                    Cow::Owned(format!("\"{}\"", kind(&item).name()))
                }
            })
        };
        items.into_iter().map(one).collect()
    }

    fn number(&self, item: &str) -> Result<f64, Fault> {
        match (kind(item), item.trim().parse()) {
            (Kind::Number, Ok(number)) => Ok(number),
            _ => fault("a number was asked of a value that is none"),
        }
    }

    fn single_number(&self, path: &'a Path) -> Result<f64, Fault> {
        match self.unwrapped(self.path(path)?).as_slice() {
            [only] => self.number(only),
            _ => fault("arithmetic needs one number on either side"),
        }
    }

    /// Returns whether a condition holds; none when that is unknown.
    fn holds(&self, predicate: &'a Predicate) -> Option<bool> {
        match predicate {
            Predicate::And(left, right) => match (self.holds(left), self.holds(right)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Predicate::Or(left, right) => match (self.holds(left), self.holds(right)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Predicate::Not(inner) => self.holds(inner).map(|holds| !holds),
            Predicate::IsUnknown(inner) => Some(self.holds(inner).is_none()),
            Predicate::Exists(path) => self.path(path).ok().map(|items| !items.is_empty()),
            Predicate::Compare(operator, left, right) => {
                let left = self.unwrapped(self.path(left).ok()?);
                let right = self.unwrapped(self.path(right).ok()?);
                let operator = *operator;
                let right = &right;
                self.any(
                    left.iter().flat_map(|left| {
                        right.iter().map(move |right| compare(operator, left, right))
                    }),
                )
            }
            Predicate::StartsWith(path, prefix) => {
                let prefix = self.path(prefix).ok()?;
                let [prefix] = prefix.as_slice() else { return None };
                let prefix = text(prefix)?;
                let items = self.unwrapped(self.path(path).ok()?);
                self.any(items.iter().map(|item| Some(text(item)?.starts_with(&*prefix))))
            }
            Predicate::LikeRegex(path, regex) => {
                let items = self.unwrapped(self.path(path).ok()?);
                self.any(items.iter().map(|item| Some(regex.is_match(&text(item)?))))
            }
        }
    }

    /// True when one is true; unknown when one is unknown: in lax mode what comes first decides.
    fn any(&self, outcomes: impl Iterator<Item = Option<bool>>) -> Option<bool> {
        let (mut found, mut unknown) = (false, false);
        for outcome in outcomes {
            match outcome {
                Some(true) if !self.strict => return Some(true),
                Some(holds) => found |= holds,
                None if !self.strict => return None,
                None => unknown = true,
            }
        }
        (!unknown).then_some(found)
    }
}

/// An object for every member of every object.
fn key_values<'a>(items: &[Item<'a>]) -> Items<'a> {
    let mut found = Vec::new();
    for (id, item) in items.iter().enumerate() {
        let Some(members) = json::members(item) else {
            return fault("keyvalue() was asked of a value that is no object");
        };
        for (key, value) in members {
            let value = json::compact(value);
            let text = format!("{{\"name\":\"{key}\",\"value\":{value},\"id\":{id}}}");
            found.push(Cow::Owned(text));
        }
    }
    Ok(found)
}

fn text(item: &str) -> Option<Cow<'_, str>> {
    if kind(item) == Kind::Text { json::text(item) } else { None }
}

/// Returns parts of an item, borrowed where the item is.
fn parts<'a>(item: Item<'a>, of: impl Fn(&str) -> Option<Vec<&str>>) -> Vec<Item<'a>> {
    match item {
        Cow::Owned(text) => {
            let all = of(&text).unwrap_or_default();
            all.into_iter().map(|part| Cow::Owned(part.to_owned())).collect()
        }
        Cow::Borrowed(text) => {
            of(text).unwrap_or_default().into_iter().map(Cow::Borrowed).collect()
        }
    }
}

/// Members of a name at any depth, an object before what is inside it. The text's own nesting is
/// walked with a list, not with the stack.
fn descendants<'a>(item: Item<'a>, name: &str, found: &mut Vec<Item<'a>>) {
    let mut waiting = vec![item];
    while let Some(item) = waiting.pop() {
        let inside = match kind(&item) {
            Kind::Object => {
                let wanted = |text: &str| -> Option<Vec<(bool, String)>> {
                    let members = json::members(text)?;
                    Some(
                        members
                            .map(|(key, value)| (json::unescape(key) == name, value.to_owned()))
                            .collect(),
                    )
                };
                let members = wanted(item.as_ref()).unwrap_or_default();
                let of_name = members.iter().filter(|(matches, _)| *matches);
                found.extend(of_name.map(|(_, value)| Cow::Owned(value.clone())));
                members.into_iter().map(|(_, value)| Cow::Owned(value)).collect()
            }
            Kind::Array => parts(item, |text| json::elements(text).map(Iterator::collect)),
            _ => continue,
        };
        waiting.extend(inside.into_iter().rev());
    }
}

fn arithmetic(sign: char, left: f64, right: f64) -> Result<f64, Fault> {
    match sign {
        '/' | '%' if right == 0.0 => fault("division by zero"),
        '+' => Ok(left + right),
        '-' => Ok(left - right),
        '*' => Ok(left * right),
        // Integers divide to integers, as in SQL.
        '/' if left.fract() == 0.0 && right.fract() == 0.0 => Ok((left / right).trunc()),
        '/' => Ok(left / right),
        _ => Ok(left % right),
    }
}

fn written<'a>(number: f64) -> Item<'a> {
    Cow::Owned(match number.fract() == 0.0 && number.abs() < 1e15 {
        true => format!("{number:.0}"),
        false => format!("{number:?}"),
    })
}

fn compare(operator: Comparison, left: &str, right: &str) -> Option<bool> {
    let order = match (kind(left), kind(right)) {
        (Kind::Null, Kind::Null) => return Some(operator == Comparison::Equal),
        (Kind::Null, _) | (_, Kind::Null) => return Some(false),
        (Kind::Number, Kind::Number) => numbers(left.trim(), right.trim())?,
        (Kind::Text, Kind::Text) => text(left)?.cmp(&text(right)?),
        (Kind::Boolean, Kind::Boolean) => left.trim().cmp(right.trim()),
        _ => return None,
    };
    Some(match operator {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    })
}

/// Integers compare exactly; other numbers as doubles.
fn numbers(left: &str, right: &str) -> Option<Ordering> {
    if let (Ok(left), Ok(right)) = (left.parse::<i128>(), right.parse::<i128>()) {
        return Some(left.cmp(&right));
    }
    left.parse::<f64>().ok()?.partial_cmp(&right.parse::<f64>().ok()?)
}
