//! What AgencyStack's own tools read of connected apps, besides the list of [`super::state_file`]: a page, a report, the list of components.

use std::fmt::Write as _;

use super::Entry;

/// The page `integrations/docs/email.md` with an app's section as it is to be; without an entry, without it. Everything else keeps its bytes.
///
/// Their script looks for `### TITLE`, and takes a section to end where the next one begins.
pub fn docs_file(there: &str, title: &str, entry: Option<&Entry>) -> String {
    let head = format!("### {title}");
    let lines: Vec<&str> = there.split_inclusive('\n').collect();
    let begin = lines.iter().position(|line| line.trim_end() == head);
    let section = entry.map(|entry| {
        format!(
            "{head}\n\n- **Version**: {}\n- **Last Applied**: {}\n- **Details**: {}\n\n",
            entry.version, entry.at, entry.details
        )
    });
    let mut out = String::new();
    match (begin, section) {
        (Some(begin), section) => {
            let rest = &lines[begin + 1..];
            let end = rest
                .iter()
                .position(|line| line.starts_with('#'))
                .unwrap_or(rest.len());
            out.extend(lines[..begin].iter().copied());
            out.push_str(&section.unwrap_or_default());
            out.extend(rest[end..].iter().copied());
        }
        (None, Some(section)) => {
            if there.is_empty() {
                out.push_str("# AgencyStack Email Integration\n\nThe apps that send through Mailu, as they were connected last.\n\n## Applied Integrations\n\n");
            } else {
                out.push_str(there);
                if !there.ends_with('\n') {
                    out.push('\n');
                }
                if !out.ends_with("\n\n") {
                    out.push('\n');
                }
            }
            out.push_str(&section);
        }
        (None, None) => out.push_str(there),
    }
    out
}

/// What is told of the lists `integrations/state/TYPE.state`, by type and text: `integration_report-TIME.txt`.
pub fn report(states: &[(String, String)], at: &str) -> String {
    let mut out = format!(
        "AgencyStack Integration Report\n==============================\nGenerated: {at}\n\nApplied Integrations:\n---------------------\n"
    );
    for (kind, text) in states {
        let mut letters = kind.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        let name: String = first.into_iter().chain(letters).collect();
        let _ = writeln!(out, "* {name} Integration:");
        for line in text.lines() {
            let mut parts = line.splitn(3, ':');
            if let (Some(component), Some(version)) = (parts.next(), parts.next()) {
                let number = version.trim_start_matches('v');
                let is_number = number.starts_with(|first: char| first.is_ascii_digit());
                let v = if is_number { "v" } else { "" };
                let _ = writeln!(out, "  - {component} ({v}{number})");
            }
        }
        out.push('\n');
    }
    out
}

/// `installed_components.txt` with a line for Mailu; nothing where there is one. Their scripts look for the word anywhere in a line.
pub fn with_component(there: &str) -> Option<String> {
    if there.lines().any(|line| line.contains(MAILU)) {
        return None;
    }
    let end = if there.is_empty() || there.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    Some(format!("{there}{end}{MAILU}\n"))
}

/// The same without the line that [`with_component`] has added.
pub fn without_component(there: &str) -> String {
    there
        .split_inclusive('\n')
        .filter(|line| line.trim_end() != MAILU)
        .collect()
}

/// As their scripts spell it.
const MAILU: &str = "Mailu";

/// The version that an image's name says; nothing where it says none: `listmonk/listmonk:v6.2.0`, `php:8.2-fpm@sha256:…`.
pub fn image_version(image: &str) -> Option<&str> {
    let name = image.split('@').next().unwrap_or_default();
    if name.starts_with("sha256:") {
        return None;
    }
    let (_, tag) = name.rsplit('/').next()?.split_once(':')?;
    // `latest`, `stable` and the like say nothing.
    tag.trim_start_matches('v')
        .starts_with(|first: char| first.is_ascii_digit())
        .then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(version: &str) -> Entry {
        Entry::new("WordPress", version, "20261127T183000Z", "a through b")
    }

    #[test]
    fn a_page_has_one_section_for_each_app() {
        let new = docs_file("", "WordPress", Some(&entry("6.9")));
        assert!(
            new.starts_with("# AgencyStack Email Integration\n"),
            "{new}"
        );
        assert!(new.ends_with("### WordPress\n\n- **Version**: 6.9\n- **Last Applied**: 20261127T183000Z\n- **Details**: a through b\n\n"), "{new}");
        assert_eq!(docs_file(&new, "WordPress", Some(&entry("6.9"))), new);
        // As their script writes it, with another app behind, whose name begins alike.
        let theirs = "# AgencyStack Email Integration\n\n## Applied Integrations\n\n### WordPress\n\n- **Version**: 1.0.1\n\n### WordPress MU\n\n- **Version**: 2\n";
        let now = docs_file(theirs, "WordPress", Some(&entry("6.9")));
        assert_eq!(now.matches("### WordPress\n").count(), 1);
        assert!(
            now.contains("6.9")
                && !now.contains("1.0.1")
                && now.ends_with("### WordPress MU\n\n- **Version**: 2\n"),
            "{now}"
        );
        let without = docs_file(&now, "WordPress", None);
        assert_eq!(
            without,
            "# AgencyStack Email Integration\n\n## Applied Integrations\n\n### WordPress MU\n\n- **Version**: 2\n"
        );
        assert_eq!(docs_file(&without, "WordPress", None), without);
        let added = docs_file("# By hand", "Listmonk", Some(&entry("v6")));
        assert!(
            added.starts_with("# By hand\n\n### Listmonk\n\n"),
            "{added}"
        );
    }

    #[test]
    fn a_report_has_every_list() {
        let states = [
            (
                "email".to_owned(),
                "WordPress:6.9:2026:x\nListmonk:v6.2.0:2026:y\nGhost:unknown:2026:z\n".to_owned(),
            ),
            (
                "sso".to_owned(),
                "ERPNext:1.0.1:2025-04-30T12:00:00Z:z\n".to_owned(),
            ),
        ];
        let text = report(&states, "now");
        assert!(text.contains("* Email Integration:\n  - WordPress (v6.9)\n  - Listmonk (v6.2.0)\n  - Ghost (unknown)\n\n* Sso Integration:\n  - ERPNext (v1.0.1)\n"), "{text}");
    }

    #[test]
    fn mailu_is_listed_once_and_taken_out_alone() {
        let there = "Docker\nWordPress";
        let now = with_component(there).unwrap();
        assert_eq!(now, "Docker\nWordPress\nMailu\n");
        assert_eq!(with_component(&now), None);
        assert_eq!(with_component("Mailu Email Server\n"), None);
        assert_eq!(without_component(&now), "Docker\nWordPress\n");
        assert_eq!(
            without_component("Mailu Email Server\n"),
            "Mailu Email Server\n"
        );
    }

    #[test]
    fn images_say_versions() {
        for (image, version) in [
            ("listmonk/listmonk:v6.2.0", Some("v6.2.0")),
            ("registry.example:5000/wordpress", None),
            (
                "registry.example:5000/frappe/erpnext:v15.2@sha256:00",
                Some("v15.2"),
            ),
            ("ghost:latest", None),
            ("ghost:5-alpine", Some("5-alpine")),
            ("sha256:0011", None),
            ("", None),
        ] {
            assert_eq!(image_version(image), version, "{image}");
        }
    }
}
