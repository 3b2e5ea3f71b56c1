//! Commands in hints as they have to be typed: what judges a configuration does not know the root.

use std::path::Path;

use crate::dns::Report;
use crate::error::Error;
use crate::finding::Finding;
use crate::paths::program;

/// Those of findings.
pub(super) fn findings(findings: &mut [Finding], root: &Path) {
    for hint in findings.iter_mut().flat_map(|finding| &mut finding.hints) {
        *hint = rooted(root, hint);
    }
}

/// Those of an error and its findings.
pub(super) fn error(error: Error, root: &Path) -> Error {
    error.map_hints(|hint| rooted(root, hint))
}

/// Those of the conditions of DNS records.
pub(super) fn report(report: &mut Report, root: &Path) {
    let records = report.zones.iter_mut().flat_map(|zone| &mut zone.records);
    for condition in records.filter_map(|record| record.condition.as_mut()) {
        *condition = rooted(root, condition);
    }
}

/// `text` with its commands as they have to be typed for `root`, which what judges a configuration does not know.
fn rooted(root: &Path, text: &str) -> String {
    const START: &str = "`mailu ";
    // These look at no deployment, or have it already.
    const WITHOUT: [&str; 2] = ["config schema", "--root "];
    let start = format!("`{} ", program(root));
    let mut parts = text.split(START);
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let without = WITHOUT.iter().any(|verb| part.starts_with(verb));
        all.push_str(if without { START } else { &start });
        all.push_str(part);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::DEFAULT_ROOT;

    #[test]
    fn a_root_of_its_own_gets_into_every_command() {
        let text = "`mailu config set a=b`, or `mailu dns`; `mailu config schema`; `mailu` alone";
        assert_eq!(rooted(Path::new(DEFAULT_ROOT), text), text);
        let once = rooted(Path::new("/a b"), text);
        assert_eq!(
            once,
            "`mailu --root '/a b' config set a=b`, or `mailu --root '/a b' dns`; `mailu config schema`; `mailu` alone"
        );
        assert_eq!(rooted(Path::new("/a b"), &once), once);
    }
}
