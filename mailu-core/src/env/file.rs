//! An environment file as Compose reads it, edited without touching what nobody asked to change.
//!
//! The grammar is that of Compose v2 (`compose-go`'s `dotenv`), which no crate implements: `dotenvy` refuses unquoted
//! values with spaces, which Mailu's own files are full of. Where Compose v1 (`python-dotenv`) reads a form differently,
//! the writer avoids that form.

use std::collections::HashSet;
use std::fmt::{self, Write as _};

use super::EnvError;

/// One assignment of the file.
#[derive(Clone, PartialEq, Eq)]
struct Assignment {
    name: String,
    value: EnvValue,
}

/// A value as Compose would hand it to a container. `Debug` hides it: it may be a secret.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnvValue {
    /// The value. Where [`EnvValue::interpolates`] is set, references such as `${NAME}` stand in it as written.
    pub text: String,
    /// Whether Compose replaces variables in it, so that the text alone does not tell the value.
    pub interpolates: bool,
}

impl fmt::Debug for EnvValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvValue")
            .field("interpolates", &self.interpolates)
            .finish_non_exhaustive()
    }
}

/// A piece of the file: text to keep as it is, and perhaps the assignment that it makes.
#[derive(Clone, PartialEq, Eq)]
struct Piece {
    raw: String,
    assignment: Option<Assignment>,
}

/// An environment file: assignments in order, with comments and layout. `Debug` shows names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EnvFile {
    pieces: Vec<Piece>,
}

impl fmt::Debug for EnvFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let assignments = self.pieces.iter().flat_map(|piece| &piece.assignment);
        f.write_str("EnvFile ")?;
        f.debug_list()
            .entries(assignments.map(|one| &one.name))
            .finish()
    }
}

impl EnvFile {
    /// Reads a file by the rules of Compose v2.
    ///
    /// # Errors
    ///
    /// With the line, where Compose would refuse the file too: a name with a strange character, or a quote that is not closed.
    pub fn parse(text: &str) -> Result<Self, EnvError> {
        let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut file = Self::default();
        let mut line = 1;
        while !rest.is_empty() {
            let (piece, left) = parse_piece(rest, line)?;
            line += piece.raw.matches('\n').count();
            file.pieces.push(piece);
            rest = left;
        }
        Ok(file)
    }

    /// The variables in the order of the file. A name that is assigned twice has its last value, at its last place.
    pub fn variables(&self) -> Vec<(&str, &EnvValue)> {
        let mut later = HashSet::new();
        let mut variables: Vec<_> = self
            .pieces
            .iter()
            .rev()
            .filter_map(|piece| piece.assignment.as_ref())
            .map(|a| (a.name.as_str(), &a.value))
            .filter(|(name, _)| later.insert(*name))
            .collect();
        variables.reverse();
        variables
    }

    /// The value of `name`: the last one, if it is assigned twice.
    pub fn get(&self, name: &str) -> Option<&EnvValue> {
        self.pieces
            .iter()
            .rev()
            .filter_map(|piece| piece.assignment.as_ref())
            .find(|a| a.name == name)
            .map(|a| &a.value)
    }

    /// The text in pieces, each with the name that it assigns.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.pieces.iter().map(|piece| {
            let name = piece.assignment.as_ref().map(|a| a.name.as_str());
            (piece.raw.as_str(), name)
        })
    }

    /// Sets `name`. A line that has it already is replaced in place; a new one goes after the line of the last of
    /// `predecessors` that the file has, else to the end.
    ///
    /// # Errors
    ///
    /// If no quoting that Compose knows can carry the value.
    pub fn set(&mut self, name: &str, value: &str, predecessors: &[&str]) -> Result<(), EnvError> {
        let piece = written(name, value)?;
        let has = |piece: &Piece, wanted: &str| {
            piece.assignment.as_ref().is_some_and(|a| a.name == wanted)
        };
        if let Some(index) = self.pieces.iter().rposition(|p| has(p, name)) {
            self.pieces[index] = piece;
            self.close_line(index);
            return Ok(());
        }
        let after = predecessors
            .iter()
            .rev()
            .find_map(|previous| self.pieces.iter().rposition(|p| has(p, previous)));
        let index = after.map_or(self.pieces.len(), |index| index + 1);
        self.close_line(index);
        self.pieces.insert(index, piece);
        Ok(())
    }

    /// Adds a variable that the file does not have yet, at the end.
    pub(super) fn append(&mut self, name: &str, value: &str) -> Result<(), EnvError> {
        self.pieces.push(written(name, value)?);
        Ok(())
    }

    /// Makes sure that the piece before `index` ends its line.
    fn close_line(&mut self, index: usize) {
        if let Some(previous) = index.checked_sub(1).and_then(|i| self.pieces.get_mut(i))
            && !previous.raw.ends_with('\n')
        {
            previous.raw.push('\n');
        }
    }

    /// Removes every assignment of `name`.
    pub fn remove(&mut self, name: &str) {
        self.pieces
            .retain(|piece| piece.assignment.as_ref().is_none_or(|a| a.name != name));
    }

    /// Adds a comment; one `#` line for each line of `text`, after a blank line.
    pub fn comment(&mut self, text: &str) {
        let mut raw = String::new();
        if !self.pieces.is_empty() {
            raw.push('\n');
        }
        for line in text.lines() {
            let _ = writeln!(raw, "# {line}");
        }
        self.pieces.push(Piece {
            raw,
            assignment: None,
        });
    }
}

impl fmt::Display for EnvFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces
            .iter()
            .try_for_each(|piece| f.write_str(&piece.raw))
    }
}

/// Spaces inside a line, as `compose-go` sees them.
fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}'
    )
}

/// Takes blank lines, a comment or an assignment from the front of `text`.
fn parse_piece(text: &str, line: usize) -> Result<(Piece, &str), EnvError> {
    let body = text.trim_start();
    let skipped = text.len() - body.len();
    if body.is_empty() {
        return Ok((plain(text), ""));
    }
    if body.starts_with('#') {
        let end = body.find('\n').map_or(text.len(), |at| skipped + at + 1);
        return Ok((plain(&text[..end]), &text[end..]));
    }
    let line = line + text[..skipped].matches('\n').count();

    let mut start = skipped;
    if let Some(after) = body.strip_prefix("export") {
        let trimmed = after.trim_start_matches(is_blank);
        if trimmed.len() < after.len() {
            start = text.len() - trimmed.len();
        }
    }
    let mut name_end = None;
    for (at, c) in text[start..].char_indices() {
        match c {
            '=' | ':' | '\n' => {
                name_end = Some((start + at, c));
                break;
            }
            c if is_blank(c) || matches!(c, '_' | '.' | '-' | '[' | ']') => {}
            c if c.is_alphabetic() || c.is_numeric() => {}
            c => {
                return Err(EnvError::new(
                    line,
                    format!("a variable name must not contain `{}`", c.escape_default()),
                ));
            }
        }
    }
    let (end, separator) = name_end.unwrap_or((text.len(), '\n'));
    let name = text[start..end].trim_end();
    if name.contains(' ') {
        return Err(EnvError::new(
            line,
            "a variable name must not contain spaces",
        ));
    }
    if separator == '\n' {
        // A bare name takes its value from the shell that runs Compose.
        let end = (end + 1).min(text.len());
        let value = EnvValue {
            text: format!("${{{name}}}"),
            interpolates: true,
        };
        return Ok((assignment(&text[..end], name, value), &text[end..]));
    }

    let value_text = text[end + 1..].trim_start_matches(is_blank);
    let value_start = text.len() - value_text.len();
    if let Some(quote @ ('"' | '\'')) = value_text.chars().next() {
        let (value, length) = quoted(value_text, quote).ok_or_else(|| {
            EnvError::new(
                line,
                format!("the value of `{name}` starts with a quote that is not closed"),
            )
        })?;
        let value = value.ok_or_else(|| bad_dollar(line, name))?;
        let mut stop = value_start + length;
        // Blanks, a comment and the line end after the closing quote belong to this assignment.
        let rest = &text[stop..];
        let line_end = rest.find('\n').map_or(rest.len(), |at| at + 1);
        let tail = rest[..line_end].trim();
        if tail.is_empty() || tail.starts_with('#') {
            stop += line_end;
        }
        Ok((assignment(&text[..stop], name, value), &text[stop..]))
    } else {
        let length = value_text.find('\n').unwrap_or(value_text.len());
        let raw = &value_text[..length];
        let raw = raw.split(" #").next().unwrap_or(raw).trim_end();
        let stop = (value_start + length + 1).min(text.len());
        let value = interpolated(raw).ok_or_else(|| bad_dollar(line, name))?;
        Ok((assignment(&text[..stop], name, value), &text[stop..]))
    }
}

/// The line that assigns `value`.
fn written(name: &str, value: &str) -> Result<Piece, EnvError> {
    let raw = format!("{name}={}\n", encode(name, value)?);
    let value = EnvValue {
        text: value.to_owned(),
        interpolates: false,
    };
    Ok(assignment(&raw, name, value))
}

fn plain(raw: &str) -> Piece {
    Piece {
        raw: raw.to_owned(),
        assignment: None,
    }
}

fn assignment(raw: &str, name: &str, value: EnvValue) -> Piece {
    Piece {
        raw: raw.to_owned(),
        assignment: Some(Assignment {
            name: name.to_owned(),
            value,
        }),
    }
}

/// Reads a quoted value from the front of `text`; returns it (nothing if its interpolation is broken) and its length with
/// both quotes.
fn quoted(text: &str, quote: char) -> Option<(Option<EnvValue>, usize)> {
    let mut inner = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote {
            if escaped {
                escaped = false;
                inner.push(c);
                continue;
            }
            let value = if quote == '"' {
                interpolated(&unescape(&inner))
            } else {
                Some(EnvValue {
                    text: inner,
                    interpolates: false,
                })
            };
            return Some((value, at + 1));
        }
        if !escaped && c == '\\' {
            escaped = true;
            continue;
        }
        if escaped {
            escaped = false;
            inner.push('\\');
        }
        inner.push(c);
    }
    None
}

/// The escapes of double quotes. `\$` becomes `$$`, which interpolation turns into `$`.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.peek().copied() {
            Some('a') => out.push('\u{7}'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('v') => out.push('\u{b}'),
            Some('$') => out.push_str("$$"),
            Some(c @ ('"' | '\\')) => out.push(c),
            Some('0') => {
                chars.next();
                let mut digits = String::new();
                while digits.len() < 3 {
                    match chars.peek() {
                        Some(d) if d.is_ascii_digit() => digits.push(*d),
                        _ => break,
                    }
                    chars.next();
                }
                match u8::from_str_radix(&digits, 8) {
                    Ok(code) if digits.len() == 3 => out.push(char::from(code)),
                    _ => {
                        out.push_str("\\0");
                        out.push_str(&digits);
                    }
                }
                continue;
            }
            _ => {
                out.push('\\');
                continue;
            }
        }
        chars.next();
    }
    out
}

/// Whether what follows `${` names a variable, perhaps with a default (`:-`, `-`), replacement (`+`) or demand (`?`).
fn is_reference(text: &str) -> bool {
    let name = text
        .find(|c: char| c != '_' && !c.is_ascii_alphanumeric())
        .unwrap_or(text.len());
    if name == 0 || text.as_bytes()[0].is_ascii_digit() {
        return false;
    }
    let rest = &text[name..];
    let operator = rest.strip_prefix(':').unwrap_or(rest);
    rest.starts_with('}')
        || operator.starts_with(['-', '+', '?'])
            && operator
                .lines()
                .next()
                .is_some_and(|line| line.contains('}'))
}

fn bad_dollar(line: usize, name: &str) -> EnvError {
    EnvError::new(
        line,
        format!(
            "the value of `{name}` has a `${{` that names no variable, on which Compose stops; put the value in single quotes"
        ),
    )
}

/// What interpolation makes of `text`: `$$` is `$`; references are kept, and noted. Nothing if Compose would refuse it.
fn interpolated(text: &str) -> Option<EnvValue> {
    let mut out = String::new();
    let mut interpolates = false;
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            rest = tail;
            continue;
        }
        if let Some(braced) = after.strip_prefix('{') {
            if !is_reference(braced) {
                return None;
            }
            interpolates = true;
        } else if after.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic()) {
            interpolates = true;
        }
        out.push('$');
        rest = after;
    }
    out.push_str(rest);
    Some(EnvValue {
        text: out,
        interpolates,
    })
}

/// Writes `value` so that Compose reads it back: plain where nothing is special, else in single quotes, else in double ones.
fn encode(name: &str, value: &str) -> Result<String, EnvError> {
    let plain =
        |c: char| c.is_alphanumeric() && !c.is_control() || " _./:@,+=%~^*()[]!?&|<>;-".contains(c);
    if value.chars().all(plain) && value.trim() == value {
        return Ok(value.to_owned());
    }
    if value.contains('\0') {
        return Err(EnvError::new(
            0,
            format!("the value of `{name}` contains a NUL byte, which no environment can carry"),
        ));
    }
    // In single quotes nothing is special but the quote itself. A backslash before it, at the end, or doubled is read
    // differently by the two Composes.
    let hard = value.contains("\\'") || value.contains("\\\\") || value.ends_with('\\');
    let one_line = !value.contains(['\n', '\r']);
    if !hard && one_line {
        return Ok(format!("'{}'", value.replace('\'', "\\'")));
    }
    // Without quotes only these are special, backslashes not.
    let comment = value
        .match_indices('#')
        .any(|(at, _)| value[..at].ends_with(char::is_whitespace));
    if one_line
        && !value.contains('$')
        && !comment
        && !value.starts_with(['"', '\''])
        && value.trim() == value
    {
        return Ok(value.to_owned());
    }
    if value.ends_with('\\') {
        return Err(EnvError::new(
            0,
            format!(
                "the value of `{name}` ends in a backslash beside other special characters, which Compose v1 cannot read"
            ),
        ));
    }
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '$' => out.push_str("\\$"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(text: &str) -> String {
        EnvFile::parse(&format!("K={text}\n"))
            .expect(text)
            .get("K")
            .expect("assigned")
            .text
            .clone()
    }

    #[test]
    fn reads_as_compose_does() {
        for (written, read) in [
            ("a b c", "a b c"),
            ("a # comment", "a"),
            ("a#b", "a#b"),
            ("#b", "#b"),
            ("", ""),
            ("  spaced  ", "spaced"),
            ("'a $b # c'", "a $b # c"),
            ("'it\\'s'", "it's"),
            ("\"a\\nb\"", "a\nb"),
            ("\"a\\\\b\"", "a\\b"),
            ("\"\\\"q\\\"\"", "\"q\""),
            ("\"cost: \\$5\"", "cost: $5"),
            ("cost: $$5", "cost: $5"),
            ("cost: $5 (a$)", "cost: $5 (a$)"),
            ("'multi\nline'", "multi\nline"),
            ("\"x\" # tail", "x"),
        ] {
            assert_eq!(value(written), read, "{written}");
        }
        let file = EnvFile::parse("export A=1\nB: 2\nC\nD=${A}\nA=3\n").expect("valid");
        let names: Vec<_> = file
            .variables()
            .into_iter()
            .map(|(n, v)| (n, v.text.as_str(), v.interpolates))
            .collect();
        assert_eq!(
            names,
            [
                ("B", "2", false),
                ("C", "${C}", true),
                ("D", "${A}", true),
                ("A", "3", false)
            ]
        );
    }

    #[test]
    fn refuses_what_compose_refuses() {
        for text in [
            "A='open\n",
            "A B=1\n",
            "A$=1\n",
            "A=\"x\n",
            "A=${5}\n",
            "A=\"${\"\n",
            "A=${B:c}\n",
        ] {
            assert!(EnvFile::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn edits_touch_one_line() {
        let text = "# head\nA=1 # one\n\n# about B\nB='2'\nC=3";
        let mut file = EnvFile::parse(text).expect("valid");
        assert_eq!(file.to_string(), text);
        file.set("B", "it's $5", &[]).expect("encodable");
        file.set("D", "4", &["A", "B"]).expect("encodable");
        file.set("E", "5", &[]).expect("encodable");
        file.remove("A");
        assert_eq!(
            file.to_string(),
            "# head\n\n# about B\nB='it\\'s $5'\nD=4\nC=3\nE=5\n"
        );
    }

    proptest! {
        #[test]
        fn any_value_survives(values in proptest::collection::vec("[^\\x00]{0,40}", 1..8)) {
            let mut file = EnvFile::default();
            let mut kept = Vec::new();
            for (index, value) in values.iter().enumerate() {
                match file.set(&format!("K{index}"), value, &[]) {
                    Ok(()) => kept.push((index, value)),
                    Err(_) => prop_assert!(value.ends_with('\\')),
                }
            }
            let read = EnvFile::parse(&file.to_string()).expect("our own output");
            for (index, value) in kept {
                let got = read.get(&format!("K{index}")).expect("there");
                prop_assert_eq!(&got.text, value);
                prop_assert!(!got.interpolates);
            }
        }

        #[test]
        fn parsing_never_panics_and_keeps_every_byte(text in "(?s).{0,200}") {
            if let Ok(file) = EnvFile::parse(&text) {
                prop_assert_eq!(file.to_string(), text.strip_prefix('\u{feff}').unwrap_or(&text));
            }
        }
    }
}
