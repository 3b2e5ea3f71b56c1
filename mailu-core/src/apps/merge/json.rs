//! JSON: keys of the outermost object replaced where they stand.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind};

/// The outermost object: keys, and the text of each value, in the order of the file.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry::<String, &'de RawValue>()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

fn read(text: &str) -> Result<Pairs<'_>, Error> {
    serde_json::from_str(text).map_err(|error| {
        // The error's own text may quote a value.
        Error::new(
            ErrorKind::InvalidInput,
            "app.unreadable",
            format!(
                "put settings into a JSON file: what is there is no JSON object, by line {}, column {}",
                error.line(),
                error.column()
            ),
        )
        .hint("correct the file first")
    })
}

/// `there` with the keys of the object `ours`.
pub(in crate::apps) fn merge(there: &str, ours: &str) -> Result<String, Error> {
    let mut text = if there.trim().is_empty() {
        "{}\n".to_owned()
    } else {
        there.to_owned()
    };
    for (key, value) in read(ours)?.0 {
        text = put(&text, &key, value.get())?;
    }
    Ok(text)
}

/// Where `part`, a piece of `text`, is in it.
fn place(text: &str, part: &str) -> usize {
    part.as_ptr().addr() - text.as_ptr().addr()
}

fn put(there: &str, key: &str, value: &str) -> Result<String, Error> {
    let pairs = read(there)?.0;
    let mut same = pairs.iter().filter(|(name, _)| name == key);
    let found = same.next();
    if same.next().is_some() {
        return Err(Error::new(
            ErrorKind::Conflict,
            "app.twice",
            format!("put settings into a JSON file: `{key}` is there twice"),
        )
        .hint("remove the one that does not count"));
    }
    let open = there.find('{').unwrap_or_default() + 1;
    let indent: Option<&str> = there[open..]
        .split_once('"')
        .and_then(|(blank, _)| blank.rsplit_once('\n'))
        .map(|(_, indent)| indent);
    // In the style of the file: our own has two spaces.
    let styled = |indent: Option<&str>| match indent {
        Some(indent) => indented(value, indent),
        None => value
            .lines()
            .map(str::trim_start)
            .collect::<Vec<_>>()
            .join(" "),
    };
    if let Some((_, old)) = found {
        let parsed = |text| serde_json::from_str::<serde_json::Value>(text).ok();
        if parsed(old.get()) == parsed(value) {
            return Ok(there.to_owned());
        }
        let start = place(there, old.get());
        let end = start + old.get().len();
        return Ok(format!(
            "{}{}{}",
            &there[..start],
            styled(indent),
            &there[end..]
        ));
    }
    let key = crate::apps::quote::json(key);
    let Some((_, last)) = pairs.last() else {
        let close = there.rfind('}').unwrap_or(open);
        return Ok(format!(
            "{}\n  {key}: {}\n{}",
            &there[..open],
            indented(value, "  "),
            &there[close..]
        ));
    };
    let end = place(there, last.get()) + last.get().len();
    let before = indent.map_or_else(|| " ".to_owned(), |indent| format!("\n{indent}"));
    Ok(format!(
        "{},{before}{key}: {}{}",
        &there[..end],
        styled(indent),
        &there[end..]
    ))
}

/// JSON of ours, which stands one level deep in an object, with another indentation. No line break is within a text.
fn indented(value: &str, unit: &str) -> String {
    let lines: Vec<String> = value
        .lines()
        .map(|line| {
            let text = line.trim_start();
            format!("{}{text}", unit.repeat((line.len() - text.len()) / 2))
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OURS: &str = "{\n  \"mail\": {\n    \"from\": \"a\",\n    \"options\": {\n      \"port\": 465\n    }\n  }\n}\n";

    #[test]
    fn the_key_is_replaced_where_it_stands() {
        let there = "{\n\t\"url\": \"https://a\",\n\t\"mail\": {\"transport\": \"Direct\"},\n\t\"z\":1.50 ,\n\t\"a\": {\"mail\": 1}\n}\n";
        let merged = merge(there, OURS).expect("merged");
        assert_eq!(
            merged,
            "{\n\t\"url\": \"https://a\",\n\t\"mail\": {\n\t\t\"from\": \"a\",\n\t\t\"options\": {\n\t\t\t\"port\": 465\n\t\t}\n\t},\n\t\"z\":1.50 ,\n\t\"a\": {\"mail\": 1}\n}\n"
        );
        assert_eq!(merge(&merged, OURS).ok(), Some(merged));
    }

    #[test]
    fn a_new_key_goes_to_the_end() {
        assert_eq!(
            merge("{\n  \"url\": \"x\"\n}", OURS).ok().as_deref(),
            Some(
                "{\n  \"url\": \"x\",\n  \"mail\": {\n    \"from\": \"a\",\n    \"options\": {\n      \"port\": 465\n    }\n  }\n}"
            )
        );
        assert_eq!(
            merge("{\"url\": \"x\"}", OURS).ok().as_deref(),
            Some("{\"url\": \"x\", \"mail\": { \"from\": \"a\", \"options\": { \"port\": 465 } }}")
        );
        for empty in ["", "{}", "{ }\n"] {
            let merged = merge(empty, OURS).expect("merged");
            assert!(
                merged.starts_with("{\n  \"mail\": {\n    \"from\""),
                "{merged}"
            );
            read(&merged).expect("JSON");
        }
    }

    #[test]
    fn what_is_there_in_other_words_stays() {
        let there = "{\"mail\":{\"options\":{\"port\":465},\"from\":\"a\"}}";
        assert_eq!(merge(there, OURS).ok().as_deref(), Some(there));
    }

    #[test]
    fn what_is_no_object_is_refused_without_its_text() {
        for text in [
            "[1]",
            "{\"a\": \"hunter2\" \"b\"}",
            "{\"mail\": hunter2}",
            "{} {}",
        ] {
            let error = merge(text, OURS).expect_err(text);
            assert_eq!(error.code(), "app.unreadable");
            assert!(!error.to_json().to_string().contains("hunter2"));
        }
        let error = merge("{\"mail\":1,\"mail\":2}", OURS).expect_err("twice");
        assert_eq!(error.code(), "app.twice");
    }

    proptest! {
        #[test]
        fn all_other_keys_keep_their_bytes(keys in proptest::collection::btree_set("[a-l]{1,3}|\\PC{1,3}", 0..6), spaced in any::<bool>()) {
            let between = if spaced { "\n    " } else { "" };
            let inner: Vec<String> = keys.iter().map(|key| format!("{between}{}:  [1.0,{{\"mail\":2}}]", crate::apps::quote::json(key))).collect();
            let there = format!("{{{}}}", inner.join(","));
            let merged = merge(&there, OURS).expect("merged");
            for one in &inner {
                prop_assert!(merged.contains(one.as_str()), "{merged}");
            }
            prop_assert_eq!(merge(&merged, OURS).expect("again"), merged.clone());
            let value: serde_json::Value = serde_json::from_str(&merged).expect("JSON");
            prop_assert_eq!(&value["mail"]["options"]["port"], 465);
            prop_assert_eq!(value.as_object().map(serde_json::Map::len), Some(keys.len() + 1));
        }
    }
}
