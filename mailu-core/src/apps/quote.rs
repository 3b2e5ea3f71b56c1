//! Texts in the quotes of other languages. None of them gets a control character: [`super::rules`] refuses those for all.

use std::fmt::Write as _;

use crate::env::EnvFile;
use crate::error::{Error, ErrorKind};
use crate::names::EmailAddress;

/// `name <address>` as a header field has it (RFC 5322 §3.4). A name with anything but letters, digits and single spaces is put
/// into quotes; one that is not ASCII stays as it is in them, because apps encode it (RFC 2047) themselves.
pub fn mailbox(name: Option<&str>, address: &EmailAddress) -> String {
    let Some(name) = name else {
        return address.to_string();
    };
    let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    if !name.is_empty()
        && name
            .split(' ')
            .all(|word| !word.is_empty() && word.chars().all(atom))
    {
        return format!("{name} <{address}>");
    }
    format!(
        "\"{}\" <{address}>",
        name.replace('\\', "\\\\").replace('"', "\\\"")
    )
}

/// A line of an environment file: the value as it is where nothing is special, because Docker's `--env-file` has no quotes; else
/// in quotes that Compose reads, and npm's dotenv with it where there are such.
///
/// # Errors
///
/// If no quotes that Compose knows can carry it.
pub(super) fn env(name: &str, value: &str) -> Result<String, Error> {
    if value.contains('\'') && !value.contains(['"', '\\', '$', '`']) {
        return Ok(format!("{name}=\"{value}\""));
    }
    let mut file = EnvFile::default();
    file.set(name, value, &[]).map_err(|error| {
        Error::new(
            ErrorKind::InvalidInput,
            "app.unwritable",
            format!("write `{name}` into an environment file"),
        )
        .source(error)
        .hint("use another password or name, without backslashes")
    })?;
    Ok(file.to_string().trim_end_matches('\n').to_owned())
}

/// A word of a POSIX shell, in one pair of quotes, so that readers of environment files find its end, too.
pub(super) fn shell(text: &str) -> String {
    if !text.contains('\'') {
        return format!("'{text}'");
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '\\' | '"' | '$' | '`') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// A text of JSON.
pub(super) fn json(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

/// A double-quoted text of YAML: JSON's escapes are a subset of YAML 1.2's. What YAML 1.1 takes for a line break, or for not printable,
/// is escaped too.
pub(super) fn yaml(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for c in json(text).chars() {
        match c {
            '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// A text of TOML.
pub(super) fn toml(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A text in single quotes, in which PHP and Ruby know nothing but `\\` and `\'`.
pub(crate) fn single(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A text of Python, in ASCII, so that the encoding of the input does not matter.
pub(super) fn python(text: &str) -> String {
    // JSON's escapes are Python's too, but for pairs of surrogates, which Python does not join.
    let mut out = String::with_capacity(text.len() + 2);
    for c in json(text).chars() {
        match c {
            ' '..='~' => out.push(c),
            c => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
        }
    }
    out
}

/// A value of a Java properties file, in ASCII: what reads it as Latin-1 and what reads it as UTF-8 find the same.
pub(super) fn properties(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            '\\' | ':' | '=' | '#' | '!' => {
                out.push('\\');
                out.push(c);
            }
            ' ' if at == 0 => out.push_str("\\ "),
            ' '..='~' => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out
}

/// A value of an ini file as Go's `ini` reads it, which Gitea and Grafana use: in backquotes, or in three double quotes where it has
/// a backquote.
///
/// # Errors
///
/// If the value has both, or `%(`, which refers to another key.
pub(super) fn ini(name: &str, value: &str) -> Result<String, Error> {
    let refused = |why: &str| {
        Err(Error::new(
            ErrorKind::InvalidInput,
            "app.unwritable",
            format!("write `{name}` into an ini file: its value has {why}"),
        )
        .hint("use another password or name"))
    };
    if value.contains("%(") {
        return refused("`%(`, which begins a reference to another key");
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "@._-+/:".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return Ok(value.to_owned());
    }
    if !value.contains('`') {
        return Ok(format!("`{value}`"));
    }
    if value.contains("\"\"\"") {
        return refused(
            "a backquote and three double quotes, and there is no third kind of quotes",
        );
    }
    Ok(format!("\"\"\"{value}\"\"\""))
}

/// An ini file of sections, keys and values, each section's together.
///
/// # Errors
///
/// As [`ini`].
pub(super) fn ini_file(
    keys: impl Iterator<Item = (&'static str, &'static str, String)>,
) -> Result<String, Error> {
    let mut out = String::new();
    let mut open = "";
    for (section, key, value) in keys {
        if section != open {
            let blank = if open.is_empty() { "" } else { "\n" };
            let _ = writeln!(out, "{blank}[{section}]");
            open = section;
        }
        let _ = writeln!(out, "{key} = {}", ini(key, &value)?);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> EmailAddress {
        "app@example.com".parse().expect("an address")
    }

    #[test]
    fn names_are_quoted_where_the_standard_wants_it() {
        let of = |name: &str| mailbox(Some(name), &address());
        assert_eq!(mailbox(None, &address()), "app@example.com");
        assert_eq!(of("The Blog"), "The Blog <app@example.com>");
        for (name, written) in [
            ("Blue & Co.", "\"Blue & Co.\""),
            ("Meier, Anna", "\"Meier, Anna\""),
            ("a <b@c>", "\"a <b@c>\""),
            ("say \"hi\" \\ all", "\"say \\\"hi\\\" \\\\ all\""),
            ("Grüße", "\"Grüße\""),
            ("", "\"\""),
            (" two  spaces", "\" two  spaces\""),
        ] {
            assert_eq!(of(name), format!("{written} <app@example.com>"));
        }
    }

    #[test]
    fn each_language_has_its_quotes() {
        let odd = "a'b\\c$d ü";
        assert_eq!(shell("a\\c$d ü"), "'a\\c$d ü'");
        assert_eq!(shell(odd), "\"a'b\\\\c\\$d ü\"");
        assert_eq!(single(odd), "'a\\'b\\\\c$d ü'");
        assert_eq!(python(odd), "\"a'b\\\\c$d \\U000000fc\"");
        assert_eq!(
            properties(" a=b:ü😀\\"),
            "\\ a\\=b\\:\\u00fc\\ud83d\\ude00\\\\"
        );
        assert_eq!(yaml("a\u{2028}\"b"), "\"a\\u2028\\\"b\"");
        assert_eq!(ini("k", "abc@d").ok().as_deref(), Some("abc@d"));
        assert_eq!(ini("k", "a;b").ok().as_deref(), Some("`a;b`"));
        assert_eq!(ini("k", "a`b").ok().as_deref(), Some("\"\"\"a`b\"\"\""));
        assert!(ini("k", "%(USER)s").is_err() && ini("k", "`\"\"\"").is_err());
    }

    #[test]
    fn environment_files_need_quotes_seldom() {
        for (value, line) in [
            ("0123abcd", "K=0123abcd"),
            ("", "K="),
            ("The Blog <app@example.com>", "K=The Blog <app@example.com>"),
            ("it's", "K=\"it's\""),
            ("$HOME", "K='$HOME'"),
            ("a # b", "K='a # b'"),
        ] {
            assert_eq!(env("K", value).expect("a line"), line);
        }
    }
}
