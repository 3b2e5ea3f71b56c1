//! YAML, read by somebody else.

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Value, json};

/// YAML as JSON, through a parser that is not ours.
pub(crate) fn parse(text: &str) -> Value {
    fn convert(yaml: &Yaml<'_>) -> Value {
        match yaml {
            Yaml::Value(Scalar::Null) => Value::Null,
            Yaml::Value(Scalar::Boolean(b)) => json!(b),
            Yaml::Value(Scalar::Integer(i)) => json!(i),
            Yaml::Value(Scalar::FloatingPoint(f)) => json!(f.into_inner()),
            Yaml::Value(Scalar::String(s)) => json!(s),
            Yaml::Sequence(items) => items.iter().map(convert).collect(),
            Yaml::Mapping(map) => Value::Object(
                map.iter()
                    .map(|(key, value)| (convert(key).as_str().unwrap().to_owned(), convert(value)))
                    .collect(),
            ),
            other => panic!("{other:?}"),
        }
    }
    let documents = Yaml::load_from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(documents.len(), 1);
    convert(&documents[0])
}
