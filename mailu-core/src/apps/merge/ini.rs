//! Ini files as Go's `ini` reads them, for Gitea and Grafana: a key is replaced in its line, a new one goes to the end of its section.

use crate::error::{Error, ErrorKind};

/// Before a line that we have put out of force.
const KEPT: &str = ";agencystack-mail; ";

/// A piece of the file: one line, or the lines of one value.
struct Piece {
    raw: String,
    what: What,
}

#[derive(PartialEq, Eq)]
enum What {
    Section(String),
    Key(String),
    Other,
}

fn pieces(text: &str) -> Result<Vec<Piece>, Error> {
    let mut all = Vec::new();
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        let mut raw = line.to_owned();
        let trimmed = line.trim_start_matches('\u{feff}').trim();
        let what = if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            What::Other
        } else if let Some(name) = trimmed.strip_prefix('[') {
            let name = name.rsplit_once(']').map_or(name, |(name, _)| name);
            What::Section(name.trim().to_owned())
        } else if let Some((key, value)) = trimmed.split_once(['=', ':']) {
            let value = value.trim_start();
            let quote = ["\"\"\"", "`"]
                .into_iter()
                .find(|quote| value.starts_with(quote));
            if let Some(quote) = quote
                && !value[quote.len()..].contains(quote)
            {
                // The value goes on to the line with the next quote.
                loop {
                    let Some(more) = lines.next() else {
                        return Err(Error::new(
                            ErrorKind::InvalidInput,
                            "app.unreadable",
                            format!(
                                "put settings into an ini file: the value of `{}` has no end",
                                key.trim()
                            ),
                        )
                        .hint("correct the file first"));
                    };
                    raw.push_str(more);
                    if more.contains(quote) {
                        break;
                    }
                }
            }
            What::Key(key.trim().trim_matches(['"', '`']).to_owned())
        } else {
            What::Other
        };
        all.push(Piece { raw, what });
    }
    Ok(all)
}

/// `there` with the sections and keys of `ours`.
pub(in crate::apps) fn merge(there: &str, ours: &str) -> Result<String, Error> {
    let mut all = pieces(there)?;
    let mut section = String::new();
    for piece in pieces(ours)? {
        match piece.what {
            What::Section(name) => section = name,
            What::Key(key) => put(&mut all, &section, &key, &piece.raw),
            What::Other => {}
        }
    }
    Ok(all.iter().map(|piece| piece.raw.as_str()).collect())
}

fn put(all: &mut Vec<Piece>, section: &str, key: &str, line: &str) {
    let mut open = "";
    let mut found = Vec::new();
    // Where a new key goes: after the last thing that its section has.
    let mut end = None;
    for (index, piece) in all.iter().enumerate() {
        if let What::Section(name) = &piece.what {
            open = name;
        }
        if open != section {
            continue;
        }
        if !piece.raw.trim().is_empty() {
            end = Some(index + 1);
        }
        if piece.what == What::Key(key.to_owned()) {
            found.push(index);
        }
    }
    // Of several the last one counts.
    if let Some(last) = found.pop() {
        for index in found {
            let piece = &mut all[index];
            piece.raw = piece
                .raw
                .split_inclusive('\n')
                .flat_map(|line| [KEPT, line])
                .collect();
            piece.what = What::Other;
        }
        let there = &mut all[last];
        let blank = there.raw.len() - there.raw.trim_start().len();
        there.raw = format!("{}{line}", &there.raw[..blank]);
        return;
    }
    let index = end.unwrap_or(all.len());
    if let Some(before) = index.checked_sub(1).and_then(|index| all.get_mut(index))
        && !before.raw.ends_with('\n')
    {
        before.raw.push('\n');
    }
    let key = Piece {
        raw: line.to_owned(),
        what: What::Key(key.to_owned()),
    };
    if end.is_some() {
        all.insert(index, key);
        return;
    }
    let blank = if all.is_empty() { "" } else { "\n" };
    all.push(Piece {
        raw: format!("{blank}[{section}]\n"),
        what: What::Section(section.to_owned()),
    });
    all.push(key);
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str =
        "[mailer]\nENABLED = true\nPASSWD = `a;b`\n\n[email.incoming]\nENABLED = true\n";

    #[test]
    fn keys_are_replaced_in_their_section_and_all_else_stays() {
        let there = "; Gitea\nAPP_NAME = x\n[mailer]\n  PASSWD = old ; mine\nFROM = f\n\n[log]\nENABLED = 7\nNOTE = \"\"\"one\n[mailer]\nPASSWD = no\n\"\"\"\n";
        let merged = merge(there, OURS).expect("merged");
        assert_eq!(
            merged,
            "; Gitea\nAPP_NAME = x\n[mailer]\n  PASSWD = `a;b`\nFROM = f\nENABLED = true\n\n[log]\nENABLED = 7\nNOTE = \"\"\"one\n[mailer]\nPASSWD = no\n\"\"\"\n\n[email.incoming]\nENABLED = true\n"
        );
        assert_eq!(merge(&merged, OURS).ok(), Some(merged));
        assert_eq!(merge("", OURS).ok().as_deref(), Some(OURS));
        assert_eq!(
            merge("A = 1", "[b]\nC = 2\n").ok().as_deref(),
            Some("A = 1\n\n[b]\nC = 2\n")
        );
    }

    #[test]
    fn of_several_only_the_last_is_left() {
        let there = "[mailer]\nPASSWD = 1\n[other]\n[mailer]\nPASSWD: 2\n";
        assert_eq!(
            merge(there, "[mailer]\nPASSWD = 3\n").ok().as_deref(),
            Some("[mailer]\n;agencystack-mail; PASSWD = 1\n[other]\n[mailer]\nPASSWD = 3\n")
        );
        let error = merge("[a]\nB = `open\n", OURS).expect_err("no end");
        assert_eq!(error.code(), "app.unreadable");
    }
}
