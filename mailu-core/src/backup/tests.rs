use super::select::left_out;
use super::*;

#[test]
fn names_of_ours_have_a_time() {
    for suffix in SUFFIXES {
        let name = format!("{}{suffix}", stem("mail.example.com", "20261122-100000"));
        assert_eq!(stamp("mail.example.com", &name), Some("20261122-100000"));
    }
    assert_eq!(
        stamp(
            "mail.example.com",
            "mail.example.com-20261122-100000-2.tar.zst"
        ),
        Some("20261122-100000")
    );
    for name in [
        "mail.example.com-20261122-100000.tar",
        "mail.example.com-20261122-100000.tar.zst.mailu-new",
        "mail.example.com-2026112-1000000.tar.zst",
        "mail.example.com.tar.gz",
        "other.example.com-20261122-100000.tar.zst",
        "mail.example.com-20261122-10000é.tar.zst",
        "",
    ] {
        assert_eq!(stamp("mail.example.com", name), None, "{name}");
    }
}

#[test]
fn any_name_comes_back_from_its_text() {
    for bytes in [
        &b"plain"[..],
        b"back\\slash",
        b"\\x41",
        b"\xff\xfe",
        "gr\u{fc}n".as_bytes(),
        b"line\nend",
        b"\\",
        b"\xe2\x82",
        b"",
    ] {
        let text = Member::text(bytes);
        assert!(!text.contains('\n'));
        assert_eq!(Member::bytes(&text), bytes, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn every_name_comes_back(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..40)) {
        proptest::prop_assert_eq!(Member::bytes(&Member::text(&bytes)), bytes);
    }

    #[test]
    fn nothing_that_is_accepted_is_outside(path in "(deployment|secrets|/|\\.\\.|a)(/(\\.\\.|\\.|a|b|)){0,5}", target in "(/)?(\\.\\./|a/|\\./){0,6}b?") {
        let mut rules = Rules::default();
        for made in ["deployment", "deployment/a", "deployment/a/a", "secrets", "secrets/a"] {
            rules.next(made.as_bytes(), Kind::Directory, 0o755, None).unwrap();
        }
        if rules.next(path.as_bytes(), Kind::Link, 0o777, Some(target.as_bytes())).is_ok() {
            let base = std::path::Path::new("/x").join(&path);
            let mut at: Vec<String> = Vec::new();
            for part in base.parent().unwrap().join(&target).components() {
                match part {
                    std::path::Component::ParentDir => { at.pop(); }
                    std::path::Component::Normal(name) => at.push(name.to_string_lossy().into_owned()),
                    _ => {}
                }
                proptest::prop_assert!(at.is_empty() || at[0] == "x");
            }
            proptest::prop_assert!(at.len() >= 2 && (at[1] == "deployment" || at[1] == "secrets"), "{} -> {}", path, target);
        }
    }
}

#[test]
fn hostile_members_are_refused() {
    let refused = |path: &str, kind: Kind, mode: u32, target: Option<&str>| {
        let mut rules = Rules::default();
        for made in ["deployment", "deployment/data", "secrets"] {
            rules
                .next(made.as_bytes(), Kind::Directory, 0o755, None)
                .unwrap();
        }
        rules
            .next(path.as_bytes(), kind, mode, target.map(str::as_bytes))
            .unwrap_err()
    };
    let file = |path: &str| refused(path, Kind::File, 0o600, None);
    for path in [
        "../x",
        "/etc/passwd",
        "deployment/../x",
        "deployment//x",
        "deployment/./x",
        "",
        "other/x",
        "deployment/data/a\0b",
    ] {
        assert!(matches!(file(path), Refused::Path(_)), "{path}");
    }
    let long = format!("deployment/{}", "a".repeat(256));
    assert!(matches!(file(&long), Refused::Path(_)));
    assert!(matches!(file("deployment/none/x"), Refused::Orphan(_)));
    assert!(matches!(file("deployment"), Refused::Special(_)));
    assert!(matches!(
        refused("deployment/data", Kind::Directory, 0o755, None),
        Refused::Twice(_)
    ));
    assert!(matches!(
        refused("deployment/x", Kind::File, 0o4755, None),
        Refused::Mode(..)
    ));
    for target in ["/etc", "../x", "../../secrets/x", "data/../../x", ""] {
        assert!(
            matches!(
                refused("deployment/x", Kind::Link, 0o777, Some(target)),
                Refused::LeadsOut(..)
            ),
            "{target}"
        );
    }
    let mut rules = Rules::default();
    for made in ["deployment", "deployment/data"] {
        rules
            .next(made.as_bytes(), Kind::Directory, 0o755, None)
            .unwrap();
    }
    rules
        .next(b"deployment/data/l", Kind::Link, 0o777, Some(b"../x"))
        .unwrap();
    // Nothing lies below a link.
    assert!(matches!(
        rules.next(b"deployment/data/l/x", Kind::File, 0o600, None),
        Err(Refused::Orphan(_))
    ));
}

#[test]
fn what_can_be_made_again_is_left_out() {
    for (place, inside, name) in [
        ("mail", &["a@b.c"][..], "dovecot.index.cache"),
        ("mail", &["a@b.c", ".Sent"], "dovecot.list.index.log"),
        ("mail", &["a@b.c", "tmp"], "1.M1P1.host"),
        ("mail", &[], SNAPSHOT_NAME),
        ("mailqueue", &["pid"], "master.pid"),
        ("filter", &[], "abc.hs"),
        ("redis", &[], "temp-12.rdb"),
        ("webmail", &["_data_", "_default_"], "domains"),
    ] {
        assert!(left_out(place, inside, name), "{place} {inside:?} {name}");
    }
    for (place, inside, name) in [
        ("mail", &["a@b.c"][..], "dovecot-uidlist"),
        ("mail", &["a@b.c"], "dovecot-keywords"),
        ("mail", &["a@b.c"], "tmp"),
        ("mail", &["a@b.c", "cur"], "1.M1P1.host:2,S"),
        ("mail", &["a@b.c"], "subscriptions"),
        ("mail", &["a@b.c"], ".dovecot.sieve"),
        ("mailqueue", &["deferred", "A"], "ABCDEF"),
        ("redis", &[], "dump.rdb"),
        ("filter", &[], "rspamd.rrd"),
    ] {
        assert!(!left_out(place, inside, name), "{place} {inside:?} {name}");
    }
}
const SNAPSHOT_NAME: &str = SNAPSHOT;

#[test]
fn the_last_of_each_day_week_and_month_are_kept() {
    // One a day at three, for two years.
    let mut all = Vec::new();
    for (year, month, days) in (2025..=2026).flat_map(|year| {
        [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            .into_iter()
            .enumerate()
            .map(move |(month, days)| (year, month + 1, days))
    }) {
        for day in 1..=days {
            let stamp = format!("{year}{month:02}{day:02}-030000");
            all.push((stamp.clone(), format!("mail.example.com-{stamp}.tar.zst")));
        }
    }
    let kept: Vec<Kept> = choose(Keeping::new(3, 7, 4, 6), &all)
        .into_iter()
        .filter(|one| !one.rules.is_empty())
        .collect();
    let days: Vec<&str> = kept.iter().map(|one| &one.name[17..25]).collect();
    assert_eq!(
        days,
        [
            "20261231", "20261230", "20261229", "20261228", "20261227", "20261226",
            "20261225", // days; 27 is a Sunday
            "20261220", "20261213", // weeks
            "20261130", "20261031", "20260930", "20260831", "20260731", // months
        ]
    );
    assert_eq!(kept[0].rules, ["last", "daily", "weekly", "monthly"]);
    // The newest stays whatever is said.
    let none = choose(Keeping::new(0, 0, 0, 0), &all);
    assert_eq!(none.iter().filter(|one| !one.rules.is_empty()).count(), 1);
    assert!(choose(Keeping::new(1, 1, 1, 1), &[]).is_empty());
    // The later one of a second is the newer.
    let stamp = "20261122-100000";
    let twins = ["", "-10", "-2"].map(|number| {
        let name = format!("mail.example.com-{stamp}{number}.tar.zst");
        (stamp.to_owned(), name)
    });
    let one = choose(Keeping::new(1, 0, 0, 0), &twins);
    assert_eq!(one[0].name, twins[1].1);
    assert_eq!(one[0].rules, ["last"]);
}
