//! Arguments, from JavaScript's types to the core's.

use std::collections::BTreeMap;

use napi::ValueType;
use napi::bindgen_prelude::{Array, BigInt, FromNapiValue, JsValue as _, Object, Unknown};
use serde_json::{Map, Number, Value};

use crate::answer::{Result, type_error};

/// A configuration: TOML text, or an object.
pub(crate) fn config(argument: Unknown<'_>) -> Result<Value> {
    if !matches!(kind_of(&argument), Kind::Text | Kind::Object) {
        return Err(type_error(format!(
            "config must be TOML text or an object, found {}",
            kind_of(&argument).name()
        )));
    }
    Reader::of("config").read(argument)
}

/// A named argument that is an object.
pub(crate) fn object(name: &str, argument: Unknown<'_>) -> Result<Value> {
    match kind_of(&argument) {
        Kind::Object => Reader::of(name).read(argument),
        other => Err(type_error(format!(
            "{name} must be an object, found {}",
            other.name()
        ))),
    }
}

/// A named argument that is text.
pub(crate) fn text(name: &str, argument: Unknown<'_>) -> Result<String> {
    match kind_of(&argument) {
        Kind::Text => convert(argument),
        other => Err(type_error(format!(
            "{name} must be a string, found {}",
            other.name()
        ))),
    }
}

/// The options of a call, by name.
pub(crate) fn request(options: Unknown<'_>) -> Result<Value> {
    let Kind::Object = kind_of(&options) else {
        return Err(type_error(format!(
            "options must be an object, found {}",
            kind_of(&options).name()
        )));
    };
    let read = |(name, value): (String, Unknown<'_>)| {
        let value = Reader::of(&name).read(value)?;
        Ok((name, value))
    };
    entries(options)?.into_iter().map(read).collect()
}

/// The last argument: an object with named values, or nothing.
pub(crate) struct Options<'env>(BTreeMap<String, Unknown<'env>>);

impl<'env> Options<'env> {
    pub(crate) fn read(argument: Unknown<'env>) -> Result<Self> {
        match kind_of(&argument) {
            Kind::Undefined => Ok(Self(BTreeMap::new())),
            Kind::Object => Ok(Self(entries(argument)?.into_iter().collect())),
            other => Err(type_error(format!(
                "options must be an object, found {}",
                other.name()
            ))),
        }
    }

    /// Takes the texts of option `name`. The error names the entry and never shows its text, which may be a secret.
    pub(crate) fn texts(&mut self, name: &str) -> Result<BTreeMap<String, String>> {
        let Some(option) = self.0.remove(name) else {
            return Ok(BTreeMap::new());
        };
        let place = format!("options.{name}");
        match kind_of(&option) {
            Kind::Object => entries(option)?
                .into_iter()
                .map(|(key, value)| match kind_of(&value) {
                    Kind::Text => Ok((key, convert(value)?)),
                    other => Err(type_error(format!(
                        "{place}[{key:?}] must be a string, found {}",
                        other.name()
                    ))),
                })
                .collect(),
            other => Err(type_error(format!(
                "{place} must be an object of strings, found {}",
                other.name()
            ))),
        }
    }

    /// Takes the text of option `name`, if it was given.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>> {
        let given = self.0.remove(name);
        given.map(|value| text(name, value)).transpose()
    }

    /// Refuses what is left: a misspelt `dkim_keys` would silently leave the keys out.
    pub(crate) fn finish(self) -> Result<()> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(type_error(format!("there is no option {name:?} here"))),
        }
    }
}

/// Turns JavaScript data into JSON. Unlike napi's own conversion it says where something is wrong, and takes every whole
/// number as an integer: JavaScript has one type of number, and napi stops at 32 bits.
struct Reader<'name> {
    name: &'name str,
    path: Vec<String>,
    values_left: usize,
}

/// No key lies deeper than four levels; the rest is room, and stops cyclic data.
const MAX_DEPTH: usize = 32;

/// Shared parts can make a small structure endless in effect without making it deep.
const MAX_VALUES: usize = 1_000_000;

impl<'name> Reader<'name> {
    fn of(name: &'name str) -> Self {
        Self {
            name,
            path: Vec::new(),
            values_left: MAX_VALUES,
        }
    }

    fn read(&mut self, value: Unknown<'_>) -> Result<Value> {
        if self.path.len() > MAX_DEPTH {
            return Err(type_error(format!(
                "{} is nested more than {MAX_DEPTH} levels deep",
                self.name
            )));
        }
        self.values_left = self.values_left.checked_sub(1).ok_or_else(|| {
            type_error(format!("{} has more than {MAX_VALUES} values", self.name))
        })?;

        match kind_of(&value) {
            Kind::Null => Ok(Value::Null),
            Kind::Boolean => convert(value).map(Value::Bool),
            Kind::Text => convert(value).map(Value::String),
            Kind::Number => {
                let number: f64 = convert(value)?;
                match (number.to_string().parse::<i64>(), Number::from_f64(number)) {
                    (Ok(whole), _) => Ok(whole.into()),
                    (_, Some(number)) => Ok(Value::Number(number)),
                    (_, None) => Err(self.refuse("is not a finite number")),
                }
            }
            Kind::BigInt => match convert::<BigInt>(value)?.get_i64() {
                (whole, true) => Ok(whole.into()),
                (_, false) => Err(self.refuse("does not fit into 64 bits")),
            },
            Kind::Array => {
                let array: Array<'_> = convert(value)?;
                (0..array.len())
                    .map(|index| {
                        self.path.push(format!("[{index}]"));
                        let item = array.get(index).map_err(failed)?;
                        let read = self.read(item.ok_or_else(|| self.refuse("has vanished"))?);
                        self.path.pop();
                        read
                    })
                    .collect()
            }
            Kind::Object => {
                let mut map = Map::new();
                for (key, value) in entries(value)? {
                    self.path.push(format!("[{key:?}]"));
                    map.insert(key, self.read(value)?);
                    self.path.pop();
                }
                Ok(Value::Object(map))
            }
            other => Err(self.refuse(&format!(
                "is {}; expected a string, a number, a boolean, an array, an object or null",
                other.name()
            ))),
        }
    }

    /// Where we are, as JavaScript would write it: `config["ports"]["mail"][0]`.
    fn place(&self) -> String {
        format!("{}{}", self.name, self.path.concat())
    }

    fn refuse(&self, why: &str) -> napi::Error<&'static str> {
        type_error(format!("{} {why}", self.place()))
    }
}

/// What an argument is, as far as it matters here.
enum Kind {
    Undefined,
    Null,
    Boolean,
    Number,
    BigInt,
    Text,
    Array,
    Object,
    Other(&'static str),
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Undefined => "undefined",
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::BigInt => "a BigInt",
            Self::Text => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
            Self::Other(name) => name,
        }
    }
}

fn kind_of(value: &Unknown<'_>) -> Kind {
    match value.get_type() {
        Ok(ValueType::Undefined) => Kind::Undefined,
        Ok(ValueType::Null) => Kind::Null,
        Ok(ValueType::Boolean) => Kind::Boolean,
        Ok(ValueType::Number) => Kind::Number,
        Ok(ValueType::BigInt) => Kind::BigInt,
        Ok(ValueType::String) => Kind::Text,
        Ok(ValueType::Object) => {
            let is = |answer: napi::Result<bool>| answer.unwrap_or(false);
            if is(value.is_array()) {
                Kind::Array
            } else if is(value.is_promise()) {
                Kind::Other("a Promise (await it)")
            } else if is(value.is_buffer()) || is(value.is_arraybuffer()) {
                Kind::Other("bytes (decode them)")
            } else if is(value.is_date()) {
                Kind::Other("a Date")
            } else {
                Kind::Object
            }
        }
        Ok(ValueType::Function) => Kind::Other("a function"),
        Ok(ValueType::Symbol) => Kind::Other("a symbol"),
        _ => Kind::Other("something foreign"),
    }
}

/// The entries of an object; one whose value is undefined is none.
fn entries(object: Unknown<'_>) -> Result<Vec<(String, Unknown<'_>)>> {
    let object: Object<'_> = convert(object)?;
    let mut entries = Vec::new();
    for key in Object::keys(&object).map_err(failed)? {
        if let Some(value) = object.get(&key).map_err(failed)? {
            entries.push((key, value));
        }
    }
    Ok(entries)
}

fn convert<T: FromNapiValue>(value: Unknown<'_>) -> Result<T> {
    T::from_unknown(value).map_err(failed)
}

/// Types were checked before. What still fails is a getter that throws, and JavaScript then sees what it threw instead.
#[expect(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn failed(error: napi::Error) -> napi::Error<&'static str> {
    type_error(error.reason.as_str())
}
