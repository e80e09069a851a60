//! JSON (RFC 8259), as much of it as the gateway's messages need. It is small: `serde_json` would be a
//! tenth of the module.

use std::str::Chars;

/// How deep lists and objects may stand in each other: a stranger must not exhaust the stack.
const DEEPEST: u32 = 128;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `null`, and what stands for a value that is not there.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number; `None` if it is not an integer of 64 bits, as nothing in the messages is.
    Number(Option<i64>),
    /// A string; a surrogate that has no other half is read as U+FFFD.
    Text(String),
    /// An array.
    List(Vec<Value>),
    /// An object, as it was written.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// Reads a text that is one JSON value and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser { rest: text.chars(), depth: 0 };
        let value = parser.value()?;
        parser.skip_space();
        parser.rest.as_str().is_empty().then_some(value)
    }

    /// The value under a key; `Null` where there is none, or no object.
    pub fn get(&self, wanted: &str) -> &Self {
        let fields = if let Self::Object(fields) = self { fields.as_slice() } else { &[] };
        fields.iter().find(|(key, _)| key == wanted).map_or(&Self::Null, |(_, value)| value)
    }

    /// Takes the value under a key out.
    pub fn take(&mut self, wanted: &str) -> Self {
        let fields = if let Self::Object(fields) = self { fields.as_mut_slice() } else { &mut [] };
        match fields.iter_mut().find(|(key, _)| key == wanted) {
            Some((_, value)) => std::mem::replace(value, Self::Null),
            None => Self::Null,
        }
    }

    /// Whether it is `null`, or not there.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// The integer, if it is one.
    pub fn as_i64(&self) -> Option<i64> {
        if let Self::Number(number) = self { *number } else { None }
    }

    /// The integer, if it is one and not negative.
    pub fn as_u64(&self) -> Option<u64> {
        self.as_i64().and_then(|number| u64::try_from(number).ok())
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The array, if it is one.
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Self::List(values) = self { Some(values) } else { None }
    }
}

struct Parser<'a> {
    rest: Chars<'a>,
    depth: u32,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn next(&mut self) -> Option<char> {
        self.rest.next()
    }

    fn skip_space(&mut self) {
        while let Some(' ' | '\t' | '\n' | '\r') = self.peek() {
            self.next();
        }
    }

    /// The next character after white space.
    fn token(&mut self) -> Option<char> {
        self.skip_space();
        self.next()
    }

    fn value(&mut self) -> Option<Value> {
        match self.token()? {
            '"' => self.text().map(Value::Text),
            '[' => self.nested(Self::list),
            '{' => self.nested(Self::object),
            't' => self.word("rue", Value::Bool(true)),
            'f' => self.word("alse", Value::Bool(false)),
            'n' => self.word("ull", Value::Null),
            first @ ('-' | '0'..='9') => Some(self.number(first)),
            _ => None,
        }
    }

    fn nested(&mut self, read: impl Fn(&mut Self) -> Option<Value>) -> Option<Value> {
        if self.depth == DEEPEST {
            return None;
        }
        self.depth = self.depth.saturating_add(1);
        let value = read(self);
        self.depth = self.depth.saturating_sub(1);
        value
    }

    fn list(&mut self) -> Option<Value> {
        let mut values = Vec::new();
        if self.closes(']') {
            return Some(Value::List(values));
        }
        loop {
            values.push(self.value()?);
            match self.token()? {
                ',' => {}
                ']' => return Some(Value::List(values)),
                _ => return None,
            }
        }
    }

    fn object(&mut self) -> Option<Value> {
        let mut fields = Vec::new();
        if self.closes('}') {
            return Some(Value::Object(fields));
        }
        loop {
            let key = (self.token()? == '"').then(|| self.text())??;
            let value = (self.token()? == ':').then(|| self.value())??;
            fields.push((key, value));
            match self.token()? {
                ',' => {}
                '}' => return Some(Value::Object(fields)),
                _ => return None,
            }
        }
    }

    /// Whether what was just opened is empty.
    fn closes(&mut self, end: char) -> bool {
        self.skip_space();
        let closes = self.peek() == Some(end);
        if closes {
            self.next();
        }
        closes
    }

    fn word(&mut self, rest: &str, value: Value) -> Option<Value> {
        let after = self.rest.as_str().strip_prefix(rest)?;
        self.rest = after.chars();
        Some(value)
    }

    /// Is not strict: what only looks like a number is one of which nothing is known.
    fn number(&mut self, first: char) -> Value {
        let mut digits = String::from(first);
        while let Some(c @ ('0'..='9' | '+' | '-' | '.' | 'e' | 'E')) = self.peek() {
            digits.push(c);
            self.next();
        }
        Value::Number(digits.parse().ok())
    }

    /// A string whose opening quotation mark has been read.
    fn text(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            text.push(match self.next()? {
                '"' => return Some(text),
                '\\' => self.escaped()?,
                c if c < ' ' => return None,
                c => c,
            });
        }
    }

    fn escaped(&mut self) -> Option<char> {
        Some(match self.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let mut code = self.unit()?;
                if code & 0xfc00 == 0xd800
                    && let Some(rest) = self.rest.as_str().strip_prefix("\\u")
                {
                    let before = std::mem::replace(&mut self.rest, rest.chars());
                    let second = self.unit()?;
                    if second & 0xfc00 == 0xdc00 {
                        // A pair counts from U+10000.
                        let pair = (code & 0x3ff) << 10 | second & 0x3ff;
                        code = pair.saturating_add(0x1_0000);
                    } else {
                        self.rest = before;
                    }
                }
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            c @ ('"' | '\\' | '/') => c,
            _ => return None,
        })
    }

    /// The four hexadecimal digits of a UTF-16 code unit.
    fn unit(&mut self) -> Option<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = unit << 4 | self.next()?.to_digit(16)?;
        }
        Some(unit)
    }
}

/// An object that is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object(String);

impl Object {
    /// An object without fields.
    pub fn empty() -> Self {
        Self("{".to_owned())
    }

    /// An object with one field, a string.
    pub fn new(key: &str, text: &str) -> Self {
        let mut object = Self::empty();
        object.text(key, text);
        object
    }

    /// Adds a string.
    pub fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        quote(&mut self.0, text);
    }

    /// Adds an integer.
    pub fn number(&mut self, key: &str, number: u64) {
        self.raw(key, &number.to_string());
    }

    /// Adds a truth value.
    pub fn flag(&mut self, key: &str, flag: bool) {
        self.raw(key, if flag { "true" } else { "false" });
    }

    /// Adds what is JSON already.
    pub fn raw(&mut self, key: &str, json: &str) {
        self.key(key);
        self.0.push_str(json);
    }

    /// The object as text.
    pub fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn key(&mut self, key: &str) {
        separate(&mut self.0);
        quote(&mut self.0, key);
        self.0.push(':');
    }
}

/// An array that is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List(String);

impl List {
    /// An array without items.
    pub fn empty() -> Self {
        Self("[".to_owned())
    }

    /// An array with one item, a string.
    pub fn new(text: &str) -> Self {
        let mut list = Self::empty();
        list.text(text);
        list
    }

    /// Adds a string.
    pub fn text(&mut self, text: &str) -> &mut Self {
        separate(&mut self.0);
        quote(&mut self.0, text);
        self
    }

    /// Adds a string, or `null`.
    pub fn optional(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => self.raw("null"),
        }
    }

    /// Adds an integer.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.raw(&number.to_string())
    }

    /// Adds a truth value.
    pub fn flag(&mut self, flag: bool) -> &mut Self {
        self.raw(if flag { "true" } else { "false" })
    }

    /// Adds what is JSON already.
    pub fn raw(&mut self, json: &str) -> &mut Self {
        separate(&mut self.0);
        self.0.push_str(json);
        self
    }

    /// The array as text.
    pub fn finish(mut self) -> String {
        self.0.push(']');
        self.0
    }
}

/// Puts a comma where something stands before.
fn separate(json: &mut String) {
    if json.len() > 1 {
        json.push(',');
    }
}

pub(crate) fn quote(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            c if c < ' ' => {
                json.push_str("\\u00");
                json.push(if c < '\u{10}' { '0' } else { '1' });
                json.extend(char::from_digit(u32::from(c) & 15, 16));
            }
            c => {
                if matches!(c, '"' | '\\') {
                    json.push('\\');
                }
                json.push(c);
            }
        }
    }
    json.push('"');
}
