//! Arguments, from Python's types to the core's.

use std::collections::BTreeMap;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};
use serde_json::{Map, Number, Value};

/// A configuration: TOML text, or a mapping.
pub(crate) struct Config(pub(crate) Value);

impl<'a, 'py> FromPyObject<'a, 'py> for Config {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if object.is_instance_of::<PyString>() || object.cast::<PyMapping>().is_ok() {
            return Reader::default().read(&object).map(Self);
        }
        Err(PyTypeError::new_err(format!(
            "expected TOML text or a mapping, found {}",
            type_name(&object)
        )))
    }
}

/// Options by name. What is a path becomes a text; `None` is what was not given.
pub(crate) struct Request(pub(crate) Value);

impl<'a, 'py> FromPyObject<'a, 'py> for Request {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let mapping = object.cast::<PyMapping>()?;
        let mut options = Map::new();
        for item in mapping.items()? {
            let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
            if value.is_none() {
                continue;
            }
            let key = text(&key, || "an option's name".to_owned())?;
            let mut reader = Reader::of(&key);
            options.insert(key, reader.read(&value)?);
        }
        Ok(Self(Value::Object(options)))
    }
}

/// Texts by name. The error names the entry and never shows its text, which may be a secret.
#[derive(Default)]
pub(crate) struct Texts(pub(crate) BTreeMap<String, String>);

impl<'a, 'py> FromPyObject<'a, 'py> for Texts {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let Ok(mapping) = object.cast::<PyMapping>() else {
            return Err(PyTypeError::new_err(format!(
                "expected a mapping of str to str, found {}",
                type_name(&object)
            )));
        };
        let mut texts = BTreeMap::new();
        for item in mapping.items()? {
            let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
            let key = text(&key, || "a key".to_owned())?;
            let value = text(&value, || format!("the value of {key:?}"))?;
            texts.insert(key, value);
        }
        Ok(Self(texts))
    }
}

/// Turns Python data into JSON. Unlike `depythonize` it stops before cyclic data exhausts the stack, and refuses what JSON
/// cannot hold: `nan` would become null, which means that a key is not set.
struct Reader {
    name: String,
    path: Vec<String>,
    values_left: usize,
}

/// No key lies deeper than four levels; the rest is room, and fits the small stacks of threads.
const MAX_DEPTH: usize = 32;

/// Shared parts can make a small structure endless in effect without making it deep. napi's limit.
const MAX_VALUES: usize = 1_000_000;

impl Default for Reader {
    fn default() -> Self {
        Self::of("config")
    }
}

impl Reader {
    /// Reads the argument of this name.
    fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            path: Vec::new(),
            values_left: MAX_VALUES,
        }
    }

    fn read(&mut self, value: &Bound<'_, PyAny>) -> PyResult<Value> {
        if self.path.len() > MAX_DEPTH {
            return Err(PyValueError::new_err(format!(
                "{} is nested more than {MAX_DEPTH} levels deep",
                self.name
            )));
        }
        let Some(left) = self.values_left.checked_sub(1) else {
            return Err(PyValueError::new_err(format!(
                "{} has more than {MAX_VALUES} values",
                self.name
            )));
        };
        self.values_left = left;

        if value.is_none() {
            Ok(Value::Null)
        } else if value.is_instance_of::<PyBool>() {
            // Before integers: in Python a bool is one.
            Ok(Value::Bool(value.extract()?))
        } else if value.is_instance_of::<PyString>() {
            Ok(Value::String(text(value, || self.place())?))
        } else if value.is_instance_of::<PyInt>() {
            match value.extract::<i64>() {
                Ok(number) => Ok(Value::from(number)),
                Err(_) => Err(self.refuse_value("does not fit into 64 bits")),
            }
        } else if value.is_instance_of::<PyFloat>() {
            match Number::from_f64(value.extract()?) {
                Some(number) => Ok(Value::Number(number)),
                None => Err(self.refuse_value("is not a finite number")),
            }
        } else if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
            let mut items = Vec::new();
            for (index, item) in value.try_iter()?.enumerate() {
                items.push(self.below(format!("[{index}]"), &item?)?);
            }
            Ok(Value::Array(items))
        } else if let Ok(path) = value.call_method0("__fspath__") {
            Ok(Value::String(text(&path, || self.place())?))
        } else if let Ok(mapping) = value.cast::<PyMapping>() {
            let mut map = Map::new();
            for item in mapping.items()? {
                let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
                let key = text(&key, || format!("a key of {}", self.place()))?;
                let value = self.below(format!("[{key:?}]"), &value)?;
                map.insert(key, value);
            }
            Ok(Value::Object(map))
        } else {
            Err(PyTypeError::new_err(format!(
                "{} is of type {}; expected str, int, float, bool, list, mapping or None",
                self.place(),
                type_name(value)
            )))
        }
    }

    fn below(&mut self, step: String, value: &Bound<'_, PyAny>) -> PyResult<Value> {
        self.path.push(step);
        let read = self.read(value);
        self.path.pop();
        read
    }

    /// Where we are, as Python would write it: `config["ports"]["mail"][0]`.
    fn place(&self) -> String {
        format!("{}{}", self.name, self.path.concat())
    }

    fn refuse_value(&self, why: &str) -> PyErr {
        PyValueError::new_err(format!("{} {why}", self.place()))
    }
}

fn text(value: &Bound<'_, PyAny>, what: impl FnOnce() -> String) -> PyResult<String> {
    match value.cast::<PyString>() {
        // Python's own error would carry the whole text.
        Ok(string) => string
            .to_cow()
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| PyValueError::new_err(format!("{} is not valid Unicode", what()))),
        Err(_) => Err(PyTypeError::new_err(format!(
            "{} must be str, found {}",
            what(),
            type_name(value)
        ))),
    }
}

fn type_name(value: &Bound<'_, PyAny>) -> String {
    value
        .get_type()
        .name()
        .map_or_else(|_| "an unnamed type".to_owned(), |name| name.to_string())
}
