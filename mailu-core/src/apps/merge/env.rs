//! Environment files: our variables in a block between two marks, and the same names elsewhere out of force.

use crate::env::EnvFile;
use crate::error::{Error, ErrorKind};

const BEGIN: &str = "# BEGIN agencystack-mail";
const END: &str = "# END agencystack-mail";
/// Before every line that we have put out of force.
const KEPT: &str = "#agencystack-mail# ";

/// Pieces of the file without our block, with the assignment that each makes, and where the block was among them.
type Pieces = (Vec<(String, Option<String>)>, Option<usize>);

/// Where the line that is `mark` begins, and where the next one does.
fn line(text: &str, mark: &str) -> Option<(usize, usize)> {
    let mut start = 0;
    text.split_inclusive('\n').find_map(|line| {
        let place = (start, start + line.len());
        start = place.1;
        (line.trim() == mark).then_some(place)
    })
}

fn pieces(there: &str) -> Result<Pieces, Error> {
    let broken = || {
        Error::new(
            ErrorKind::Conflict,
            "app.marks",
            format!("put settings into an environment file: `{BEGIN}` and `{END}` are not there as one pair"),
        )
        .hint("remove the marks, and what is between them")
    };
    // What is between the marks may be in a shell's quotes. A mark within somebody's value is none: what is before it has no end then.
    let marks = line(there, BEGIN).filter(|(start, _)| EnvFile::parse(&there[..*start]).is_ok());
    let Some((start, after)) = marks else {
        let mut kept = Vec::new();
        parse(there, &mut kept)?;
        return if kept.iter().any(is_mark) {
            Err(broken())
        } else {
            Ok((kept, None))
        };
    };
    let (_, end) = line(&there[after..], END).ok_or_else(broken)?;
    let mut kept = Vec::new();
    parse(&there[..start], &mut kept)?;
    let block = kept.len();
    parse(&there[after + end..], &mut kept)?;
    if kept.iter().any(is_mark) {
        return Err(broken());
    }
    Ok((kept, Some(block)))
}

fn is_mark((raw, name): &(String, Option<String>)) -> bool {
    name.is_none() && [BEGIN, END].contains(&raw.trim())
}

/// Adds the pieces of `text`.
fn parse(text: &str, kept: &mut Vec<(String, Option<String>)>) -> Result<(), Error> {
    let file = EnvFile::parse(text).map_err(|error| {
        Error::new(
            ErrorKind::InvalidInput,
            "app.unreadable",
            "put settings into an environment file: Compose could not read what is there",
        )
        .source(error)
        .hint("correct that line first")
    })?;
    for (raw, name) in file.pieces() {
        // Blank lines are a matter of their own.
        let body = raw.len() - raw.trim_start().len();
        let (blank, raw) = raw.split_at(raw[..body].rfind('\n').map_or(0, |at| at + 1));
        if !blank.is_empty() {
            kept.push((blank.to_owned(), None));
        }
        if !raw.is_empty() {
            kept.push((raw.to_owned(), name.map(str::to_owned)));
        }
    }
    Ok(())
}

/// `there` with `lines`, which assign `variables`, in our block, and every other assignment of them or of `unwanted` as a comment.
pub(in crate::apps) fn merge(
    there: &str,
    variables: &[(&'static str, String)],
    unwanted: &[&str],
    lines: &str,
) -> Result<String, Error> {
    let (pieces, block) = pieces(there)?;
    let ours = format!("{BEGIN}\n{lines}{END}\n");
    let is_ours =
        |name: &str| variables.iter().any(|(one, _)| *one == name) || unwanted.contains(&name);
    let mut out = String::new();
    if there.starts_with('\u{feff}') {
        out.push('\u{feff}');
    }
    let block = block.unwrap_or(pieces.len());
    for (index, (raw, name)) in pieces.iter().enumerate() {
        if index == block {
            out.push_str(&ours);
        }
        if name.as_deref().is_some_and(is_ours) {
            let alone = (out.is_empty() || out.ends_with(['\n', '\u{feff}']))
                && (raw.ends_with('\n') || index + 1 == pieces.len());
            if !alone {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "app.one_line",
                    format!(
                        "put settings into an environment file: `{}` has a line together with another variable",
                        name.as_deref().unwrap_or_default()
                    ),
                )
                .hint("give each a line of its own"));
            }
            for line in raw.split_inclusive('\n') {
                out.push_str(KEPT);
                out.push_str(line);
            }
        } else {
            out.push_str(raw);
        }
    }
    if block == pieces.len() {
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        out.push_str(&ours);
    }
    Ok(out)
}

/// Takes our block out of an environment file, and puts what it replaced into force again.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`] if Compose could not read the file; [`ErrorKind::Conflict`] if the block is not whole.
pub fn unmerge(there: &str) -> Result<String, Error> {
    let (pieces, _) = pieces(there)?;
    let mark = there.starts_with('\u{feff}').then_some("\u{feff}");
    let lines = pieces
        .iter()
        .map(|(raw, _)| raw.strip_prefix(KEPT).unwrap_or(raw));
    Ok(mark.into_iter().chain(lines).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::quote;
    use proptest::prelude::*;

    fn merge(
        there: &str,
        variables: &[(&'static str, String)],
        unwanted: &[&str],
    ) -> Result<String, Error> {
        let lines: Vec<_> = variables
            .iter()
            .map(|(name, value)| quote::env(name, value).expect("a line") + "\n")
            .collect();
        super::merge(there, variables, unwanted, &lines.concat())
    }

    fn ours() -> Vec<(&'static str, String)> {
        vec![
            ("SMTP_ADDRESS", "mail.example.com".to_owned()),
            ("SMTP_PASSWORD", "a $b".to_owned()),
        ]
    }

    const THERE: &str = "# Rails\nRAILS_ENV=production\nSMTP_ADDRESS=mail.old\nexport SMTP_TLS=true # why\n\nSMTP_ADDRESS='x\ny'\nLAST=1";

    #[test]
    fn all_else_stays_and_comes_back() {
        let merged = merge(THERE, &ours(), &["SMTP_TLS"]).expect("merged");
        assert_eq!(
            merged,
            "# Rails\nRAILS_ENV=production\n#agencystack-mail# SMTP_ADDRESS=mail.old\n#agencystack-mail# export SMTP_TLS=true # why\n\n\
             #agencystack-mail# SMTP_ADDRESS='x\n#agencystack-mail# y'\nLAST=1\n\
             # BEGIN agencystack-mail\nSMTP_ADDRESS=mail.example.com\nSMTP_PASSWORD='a $b'\n# END agencystack-mail\n"
        );
        assert_eq!(
            merge(&merged, &ours(), &["SMTP_TLS"]).ok(),
            Some(merged.clone())
        );
        assert_eq!(unmerge(&merged).ok(), Some(format!("{THERE}\n")));
    }

    #[test]
    fn the_block_stays_where_it_is_and_what_comes_after_it_does_not_win() {
        let there =
            "A=1\n# BEGIN agencystack-mail\nOLD=1\n# END agencystack-mail\nSMTP_PASSWORD=2\n";
        let merged = merge(there, &ours(), &[]).expect("merged");
        let at = |text: &str| merged.find(text);
        assert!(at("A=1") < at("BEGIN") && at("END") < at("#agencystack-mail# SMTP_PASSWORD=2"));
        assert!(!merged.contains("OLD"));
        let file = EnvFile::parse(&merged).expect("a file");
        assert_eq!(
            file.get("SMTP_PASSWORD").map(|value| value.text.as_str()),
            Some("a $b")
        );
    }

    #[test]
    fn half_a_block_is_refused() {
        for text in [
            "# BEGIN agencystack-mail\nA=1\n",
            "A=1\n# END agencystack-mail\n",
            "# BEGIN agencystack-mail\n# END agencystack-mail\n# BEGIN agencystack-mail\n# END agencystack-mail\n",
        ] {
            let error = merge(text, &ours(), &[]).expect_err(text);
            assert_eq!(error.code(), "app.marks");
        }
        let error = merge("A='\n", &ours(), &[]).expect_err("unreadable");
        assert_eq!(error.code(), "app.unreadable");
        let error = merge("A='1' SMTP_ADDRESS=2\n", &ours(), &[]).expect_err("one line");
        assert_eq!(error.code(), "app.one_line");
        // Marks within a value are none.
        let text = "A='\n# BEGIN agencystack-mail\n'\n";
        assert!(merge(text, &ours(), &[]).expect("merged").starts_with(text));
    }

    proptest! {
        #[test]
        fn taking_out_gives_back_what_was_there(lines in proptest::collection::vec(
            proptest::sample::select(vec!["A=1", "SMTP_ADDRESS=x", "# c", "", "SMTP_PASSWORD='a\nb'", "export SMTP_ADDRESS=\"q\"", "B"]), 0..8)) {
            let there: String = lines.iter().flat_map(|line| [*line, "\n"]).collect();
            let merged = merge(&there, &ours(), &[]).expect("merged");
            prop_assert_eq!(merge(&merged, &ours(), &[]).expect("again"), merged.clone());
            prop_assert_eq!(unmerge(&merged).expect("taken out"), there);
            let file = EnvFile::parse(&merged).expect("a file");
            for (name, value) in ours() {
                prop_assert_eq!(&file.get(name).expect("it is there").text, &value);
            }
        }
    }
}
