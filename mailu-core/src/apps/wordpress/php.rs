//! PHP as text: values in it, and scripts that a site's own PHP reads from its input.

use serde_json::Value;

use crate::secret::Secret;

/// Begins the line of a script's answer. A site prints whatever it likes around it.
const MARK: &str = "@@agencystack-mail@@";

/// Loads WordPress as for a visitor of the site.
const LOAD: &str = include_str!("scripts/load.php");

/// A string in single quotes, where PHP knows two escapes and no variables.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A script for the input of `php`, with `input` as an array in it; with `load`, WordPress is there when it begins. It may hold a secret.
pub(super) fn script(body: &str, input: &Value, load: bool) -> Secret {
    let input = quoted(&input.to_string());
    let load = if load { LOAD } else { "" };
    Secret::new(format!(
        "<?php\n$agencystack_input = json_decode({input}, true);\n\
         function agencystack_answer($data)\n{{\n    \
         $json = json_encode($data, JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR);\n    \
         fwrite(fopen('php://stdout', 'w'), \"\\n{MARK}$json\\n\");\n}}\n{load}{body}"
    ))
}

/// What a script has answered; nothing if it did not get so far.
pub(super) fn answer(out: &str) -> Option<Value> {
    let line = out.lines().rev().find_map(|line| line.strip_prefix(MARK))?;
    serde_json::from_str(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_quotes_keep_every_character() {
        for (text, php) in [
            ("", "''"),
            ("it's", r"'it\'s'"),
            (r"back\slash", r"'back\\slash'"),
            (r"\'", r"'\\\''"),
            ("$x {$y} \" ?>\n", "'$x {$y} \" ?>\n'"),
        ] {
            assert_eq!(quoted(text), php);
        }
    }

    #[test]
    fn an_answer_is_found_among_what_a_site_prints() {
        let out = format!("<b>Notice</b>\n\n{MARK}{{\"a\":1}}\nbye");
        assert_eq!(answer(&out), Some(serde_json::json!({ "a": 1 })));
        assert_eq!(answer("Error establishing a database connection"), None);
        assert_eq!(answer(&format!("{MARK}{{")), None);
    }
}
