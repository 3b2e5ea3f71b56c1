//! Pages for people: each is one file that asks nobody for anything, and works without JavaScript.

mod report;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub use report::{Check, CheckOutcome, Ignored, ReportPage, Silenced, Verdict, report_page};

use crate::error::{Error, ErrorKind};

const STYLE: &str = include_str!("page.css");
/// What only pages have that say how something is.
const FOUND: &str = include_str!("found.css");
const SCRIPT: &str = include_str!("page.js");

/// Whose page it is.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Page {
    /// The name of the agency.
    pub agency: Option<String>,
    /// Its logo.
    pub logo: Option<Logo>,
}

impl Page {
    /// The page of an agency.
    pub fn new(agency: Option<String>, logo: Option<Logo>) -> Self {
        Self { agency, logo }
    }
}

/// A picture inside the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logo {
    media: &'static str,
    bytes: Vec<u8>,
}

impl Logo {
    /// The most that a logo may have: the page is sent by mail.
    pub const LIMIT: usize = 256 * 1024;

    /// A picture, whose kind is told from its first bytes: PNG, JPEG or SVG.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] if it is none of them, or larger than [`Logo::LIMIT`].
    pub fn new(bytes: Vec<u8>) -> Result<Self, Error> {
        if bytes.len() > Self::LIMIT {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "dns.logo",
                format!(
                    "put the logo into the page: it has more than {} KiB, and the page is to stay small",
                    Self::LIMIT / 1024
                ),
            )
            .hint("give a smaller one: an SVG, or a PNG that is 400 pixels wide, is enough"));
        }
        let media = if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            "image/png"
        } else if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
            "image/jpeg"
        } else if is_svg(&bytes) {
            "image/svg+xml"
        } else {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "dns.logo",
                "put the logo into the page: it is neither PNG nor JPEG nor SVG",
            )
            .hint("convert it to PNG"));
        };
        Ok(Self { media, bytes })
    }

    fn uri(&self) -> String {
        format!(
            "data:{};base64,{}",
            self.media,
            STANDARD.encode(&self.bytes)
        )
    }
}

/// Whether XML begins with, or comes to, the element `svg`.
fn is_svg(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        text.starts_with("<svg")
            || ((text.starts_with("<?xml") || text.starts_with("<!")) && text.contains("<svg"))
    })
}

/// Renders `name`, whose template extends the frame that all pages have.
///
/// `found`: whether the page says how something is, and not only how it should be.
pub(crate) fn framed(
    name: &'static str,
    template: &'static str,
    page: &Page,
    found: bool,
    content: Value,
) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true)
            .build()?,
    );
    // The names' ending switches escaping on.
    environment.add_template("frame.html", include_str!("frame.html.j2"))?;
    environment.add_template("parts.html", include_str!("parts.html.j2"))?;
    environment.add_template(name, template)?;
    let style = if found {
        format!("{STYLE}{FOUND}")
    } else {
        STYLE.to_owned()
    };
    environment.get_template(name)?.render(context! {
        agency => &page.agency,
        logo => page.logo.as_ref().map(Logo::uri),
        style_hash => hash(&style),
        style => style,
        script => SCRIPT,
        script_hash => hash(SCRIPT),
        ..content
    })
}

/// What allows this text, and no other, in a policy.
fn hash(text: &str) -> String {
    format!(
        "sha256-{}",
        STANDARD.encode(Sha256::digest(text.as_bytes()))
    )
}

/// How something is: in words, with a sign, and in a colour.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Sign {
    /// `good`, `look`, `bad` or `soft`: the colour.
    pub(crate) class: &'static str,
    pub(crate) mark: &'static str,
    pub(crate) words: &'static str,
}

impl Sign {
    pub(crate) const fn good(words: &'static str) -> Self {
        Self {
            class: "good",
            mark: "\u{2713}",
            words,
        }
    }

    pub(crate) const fn look(words: &'static str) -> Self {
        Self {
            class: "look",
            mark: "!",
            words,
        }
    }

    pub(crate) const fn bad(words: &'static str) -> Self {
        Self {
            class: "bad",
            mark: "\u{2717}",
            words,
        }
    }

    pub(crate) const fn soft(mark: &'static str, words: &'static str) -> Self {
        Self {
            class: "soft",
            mark,
            words,
        }
    }
}

/// A piece of a hint: words, or something to type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Part {
    text: String,
    is_code: bool,
    is_long: bool,
}

/// A hint in pieces: what stands between backticks is to be typed as it is.
pub(crate) fn step(hint: &str) -> Vec<Part> {
    /// More than that gets a line of its own.
    const LONG: usize = 48;
    let part = |text: &str, is_code: bool| Part {
        text: text.to_owned(),
        is_code,
        is_long: is_code && text.chars().count() > LONG,
    };
    // Where a value has a backtick itself, nobody can say where it ends.
    if !hint.matches('`').count().is_multiple_of(2) {
        return vec![part(hint, false)];
    }
    hint.split('`')
        .enumerate()
        .map(|(index, text)| part(text, index % 2 == 1))
        .filter(|part| part.is_code || !part.text.is_empty())
        .collect()
}

/// `2026-11-26T14:05:00Z` for people: `2026-11-26 14:05 UTC`. Anything else stays as it is.
pub(crate) fn moment(at: &str) -> String {
    const SHAPE: &str = "0000-00-00T00:00";
    let fits = |text: &str| {
        text.len() == SHAPE.len()
            && text.chars().zip(SHAPE.chars()).all(|(c, shape)| {
                if shape == '0' {
                    c.is_ascii_digit()
                } else {
                    c == shape
                }
            })
    };
    match (at.get(..SHAPE.len()), at.strip_suffix('Z')) {
        (Some(head), Some(_)) if fits(head) => format!("{} UTC", head.replace('T', " ")),
        _ => at.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_is_known_by_its_bytes() {
        let media = |bytes: &[u8]| Logo::new(bytes.to_vec()).map(|logo| logo.media).ok();
        assert_eq!(media(b"\x89PNG\r\n\x1a\n..."), Some("image/png"));
        assert_eq!(media(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        let svg = b"<?xml version=\"1.0\"?>\n<!-- x --><svg xmlns=\"http://www.w3.org/2000/svg\"/>";
        assert_eq!(media(svg), Some("image/svg+xml"));
        assert_eq!(media(b"GIF89a"), None);
        assert_eq!(media(b"<html><svg></svg></html>"), None);
        assert!(Logo::new(vec![b' '; Logo::LIMIT + 1]).is_err());
    }

    #[test]
    fn what_is_to_be_typed_is_told_from_words() {
        let parts = |hint: &str| -> Vec<(String, bool)> {
            step(hint)
                .into_iter()
                .map(|part| (part.text, part.is_code))
                .collect()
        };
        let of = |text: &str, is_code| (text.to_owned(), is_code);
        assert_eq!(
            parts("host `@`, value `mail`"),
            [
                of("host ", false),
                of("@", true),
                of(", value ", false),
                of("mail", true)
            ]
        );
        assert_eq!(parts("`mailu apply`"), [of("mailu apply", true)]);
        assert_eq!(parts("let it be `a`b`"), [of("let it be `a`b`", false)]);
    }

    #[test]
    fn a_moment_is_for_people() {
        assert_eq!(moment("2026-11-26T14:05:59Z"), "2026-11-26 14:05 UTC");
        assert_eq!(moment("2026-11-26T14:05:59.5Z"), "2026-11-26 14:05 UTC");
        for other in [
            "2026-11-26T14:05:59+01:00",
            "yesterday",
            "",
            "2026-11-26T14:0\u{e9}Z",
        ] {
            assert_eq!(moment(other), other);
        }
    }
}
