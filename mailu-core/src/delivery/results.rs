//! What servers write at the head of a message: `Authentication-Results` (RFC 8601) and `DKIM-Signature` (RFC 6376).

use std::iter::Peekable;
use std::str::Chars;

use mail_parser::MessageParser;

/// An `Authentication-Results` field.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthenticationResults {
    /// Who says so.
    pub authserv_id: String,
    /// What each method gave, in the field's order; empty where it says `none`.
    pub results: Vec<MethodResult>,
}

/// What a method gave.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MethodResult {
    /// `spf`, `dkim`, `dmarc`, `auth` …, lower case.
    pub method: String,
    /// `pass`, `fail`, `none` …, lower case.
    pub result: String,
    /// `header.d` and the like with their values.
    pub properties: Vec<(String, String)>,
}

impl MethodResult {
    /// The value of a property, such as `header.d`.
    pub fn property(&self, name: &str) -> Option<&str> {
        let mut all = self.properties.iter();
        all.find(|(key, _)| key == name).map(|(_, v)| v.as_str())
    }
}

/// A `DKIM-Signature` field: who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signature {
    /// The domain, `d=`, lower case.
    pub domain: String,
    /// The selector, `s=`, lower case.
    pub selector: String,
}

/// What the head of a message says of where it comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// `Authentication-Results` fields as far as they can be read, topmost first.
    pub results: Vec<AuthenticationResults>,
    /// Its signatures.
    pub signatures: Vec<Signature>,
}

impl Head {
    /// Reads the head of a message.
    pub fn read(raw: &[u8]) -> Self {
        let mut head = Self::default();
        let Some(message) = MessageParser::new().parse_headers(raw) else {
            return head;
        };
        for (name, value) in message.headers_raw() {
            if name.eq_ignore_ascii_case("Authentication-Results") {
                head.results.extend(authentication_results(value));
            } else if name.eq_ignore_ascii_case("DKIM-Signature") {
                head.signatures.extend(signature(value));
            }
        }
        head
    }

    /// What the server itself says, by its `authserv-id`. Servers put their field on top, so that the first counts; fields of
    /// others could have been written by anybody (RFC 8601 §5).
    pub fn by(&self, authserv_id: &str) -> Option<&AuthenticationResults> {
        self.results
            .iter()
            .find(|one| one.authserv_id.eq_ignore_ascii_case(authserv_id))
    }
}

/// A part of a field: a word, a quoted one included, or `;` or `=`.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    End,
    Is,
}

/// Reads a field's value. `None` if it does not follow the grammar (RFC 8601 §2.2).
pub fn authentication_results(value: &str) -> Option<AuthenticationResults> {
    let tokens = tokens(value)?;
    let mut parts = tokens.split(|token| *token == Token::End);
    // A version may follow the name.
    let authserv_id = match parts.next()? {
        [Token::Word(id)] => id,
        [Token::Word(id), Token::Word(version)]
            if version.bytes().all(|b| b.is_ascii_digit()) && !version.is_empty() =>
        {
            id
        }
        _ => return None,
    };
    let mut results = Vec::new();
    for part in parts {
        match part {
            // After the last `;`, which should not be there, and `none`.
            [] => {}
            [Token::Word(none)] if none.eq_ignore_ascii_case("none") => {}
            part => results.push(method_result(part)?),
        }
    }
    Some(AuthenticationResults {
        authserv_id: authserv_id.clone(),
        results,
    })
}

fn method_result(part: &[Token]) -> Option<MethodResult> {
    let mut pairs = part.chunks(3).map(|chunk| match chunk {
        [Token::Word(name), Token::Is, Token::Word(value)] => {
            Some((name.to_ascii_lowercase(), value.clone()))
        }
        _ => None,
    });
    let (method, result) = pairs.next()??;
    // `method/1`
    let method = method.split('/').next()?.to_owned();
    let mut properties = pairs.collect::<Option<Vec<_>>>()?;
    properties.retain(|(name, _)| name.contains('.'));
    Some(MethodResult {
        method,
        result: result.to_ascii_lowercase(),
        properties,
    })
}

/// Comments and white space separate and are dropped (RFC 5322 §3.2.2).
fn tokens(value: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut chars = value.chars().peekable();
    while let Some(&next) = chars.peek() {
        match next {
            '(' => comment(&mut chars)?,
            c if c.is_ascii_whitespace() => {
                chars.next();
            }
            ';' => {
                chars.next();
                tokens.push(Token::End);
            }
            '=' => {
                chars.next();
                tokens.push(Token::Is);
            }
            _ => {
                // A signature's digits may end with `=`.
                let of_value = tokens.last() == Some(&Token::Is);
                tokens.push(Token::Word(word(&mut chars, of_value)?));
            }
        }
    }
    Some(tokens)
}

fn comment(chars: &mut Peekable<Chars<'_>>) -> Option<()> {
    let mut depth = 0_usize;
    loop {
        match chars.next()? {
            '(' => depth += 1,
            ')' if depth == 1 => return Some(()),
            ')' => depth -= 1,
            '\\' => drop(chars.next()?),
            _ => {}
        }
    }
}

fn word(chars: &mut Peekable<Chars<'_>>, of_value: bool) -> Option<String> {
    let mut word = String::new();
    while let Some(&next) = chars.peek() {
        match next {
            '"' => {
                chars.next();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => word.push(chars.next()?),
                        c => word.push(c),
                    }
                }
            }
            '=' if !of_value => break,
            ';' | '(' | ')' => break,
            c if c.is_ascii_whitespace() => break,
            c if c.is_control() => return None,
            c => {
                chars.next();
                word.push(c);
            }
        }
    }
    // A `)` without its `(`.
    (chars.peek() != Some(&')')).then_some(word)
}

fn signature(value: &str) -> Option<Signature> {
    let tag = |name: &str| {
        value
            .split(';')
            .filter_map(|tag| tag.split_once('='))
            .find(|(key, _)| key.trim() == name)
            .map(|(_, text)| text.trim().to_ascii_lowercase())
            .filter(|text| !text.is_empty())
    };
    Some(Signature {
        domain: tag("d")?,
        selector: tag("s")?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RSPAMD: &str = "mail.example.com;\r\n\tdkim=pass header.d=outside.test header.s=s1 header.b=\"hA+/2=\";\r\n\t\
        spf=pass (mail.example.com: domain of \"a b\"@outside.test designates 198.51.100.10 (as \\) permitted) sender) smtp.mailfrom=someone@outside.test;\r\n\t\
        dmarc=pass (policy=reject) header.from=outside.test\r\n";

    #[test]
    fn what_rspamd_writes_is_understood() {
        let read = authentication_results(RSPAMD).expect("it follows the grammar");
        assert_eq!(read.authserv_id, "mail.example.com");
        let all: Vec<(&str, &str)> = read
            .results
            .iter()
            .map(|one| (one.method.as_str(), one.result.as_str()))
            .collect();
        assert_eq!(all, [("dkim", "pass"), ("spf", "pass"), ("dmarc", "pass")]);
        let dkim = read.results.first().expect("three results");
        assert_eq!(dkim.property("header.d"), Some("outside.test"));
        assert_eq!(dkim.property("header.b"), Some("hA+/2="));
    }

    #[test]
    fn the_grammar_is_kept() {
        let read = |text: &str| authentication_results(text);
        let none = read("example.org 1; none").expect("RFC 8601, appendix B.1");
        assert_eq!(
            (none.authserv_id.as_str(), none.results.len()),
            ("example.org", 0)
        );
        // RFC 8601, appendix B.6.
        let loaded = read(
            "foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n policy (A dot can go here) . (like that) expired\r\n (this surprised me) = (as I wasn't expecting it) 1362471462",
        );
        // Spaces inside `dkim / 1` are allowed, and nobody writes them; such a field is passed over, not misread.
        assert_eq!(loaded, None);
        let reason = read("a; dkim=fail reason=\"bad; signature\" header.i=@b").expect("a reason");
        let one = reason.results.first().expect("a result");
        assert_eq!(
            (one.result.as_str(), one.property("header.i")),
            ("fail", Some("@b"))
        );
        assert_eq!(one.properties.len(), 1);
        for text in [
            "",
            ";",
            "a b; none",
            "a; dkim",
            "a; =pass",
            "a; dkim=",
            "a; dkim=pass (",
            "a; dkim=\"x",
            "a; dkim=pass) spf=pass",
            "a; spf=pass smtp.mailfrom",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn what_strangers_write_is_not_believed() {
        let head = Head::read(
            b"Authentication-Results: evil.example; spf=pass; dkim=pass; dmarc=pass\r\n\
              Authentication-Results: MAIL.example.com; spf=fail\r\n\
              Authentication-Results: mail.example.com; spf=pass\r\n\
              DKIM-Signature: v=1; a=rsa-sha256; d=Example.com;\r\n\ts=dkim; h=from;\r\n\tb=abc\r\n\
              Subject: x\r\n\r\nAuthentication-Results: mail.example.com; dkim=pass\r\n",
        );
        let own = head.by("mail.example.com").expect("the server's own");
        let all: Vec<&str> = own.results.iter().map(|one| one.result.as_str()).collect();
        assert_eq!(all, ["fail"]);
        assert_eq!(head.results.len(), 3, "what stands in the body is no field");
        assert_eq!(
            head.signatures,
            [Signature {
                domain: "example.com".to_owned(),
                selector: "dkim".to_owned()
            }]
        );
        assert_eq!(head.by("evil"), None);
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "[a-z;=()\\\\\" .@/\r\n\t\\PC]{0,80}") {
            let _ = authentication_results(&text);
            let _ = signature(&text);
        }

        #[test]
        fn reading_a_head_never_panics(raw in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Head::read(&raw);
            let mut named = b"Authentication-Results: ".to_vec();
            named.extend(raw);
            let _ = Head::read(&named);
        }

        #[test]
        fn what_is_quoted_comes_back(value in "[a-zA-Z0-9 ;=()@.]{0,20}") {
            let text = format!("a; dkim=pass header.d=\"{value}\"");
            let read = authentication_results(&text);
            let found = read.as_ref().and_then(|one| one.results.first()?.property("header.d"));
            prop_assert_eq!(found, Some(value.as_str()));
        }
    }
}
