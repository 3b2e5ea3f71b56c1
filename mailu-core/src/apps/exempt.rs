//! Freeing an app's login from Mailu's limit of messages: `limits.exempt` in `mailu.toml`, which becomes `MESSAGE_RATELIMIT_EXEMPTION`.

use crate::names::EmailAddress;

/// What becomes of `limits.exempt` for one app.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exemption {
    /// The list as it is to be.
    pub list: Vec<EmailAddress>,
    /// Whether it is another than the configured one.
    pub changes: bool,
    /// The login that is in the list because of this app, and leaves it with it.
    pub ours: Option<EmailAddress>,
    /// Whether Mailu has to be brought to it.
    pub applies: bool,
    /// Whether the login is free of the limit then.
    pub exempt: bool,
}

/// Plans the list. `configured` is `limits.exempt`, `running` Mailu's own list as admin was started with it (which people may have edited in
/// `mailu.env`), `ours` the login that was put there for this app before. `wanted` says what was asked for; `None` leaves the login as it is.
///
/// Whoever is in the list without us stays there, also when the app goes.
pub fn exemption(
    configured: &[EmailAddress],
    running: &str,
    login: &EmailAddress,
    ours: Option<&EmailAddress>,
    wanted: Option<bool>,
) -> Exemption {
    let wants = wanted == Some(true);
    let mut list = configured.to_vec();
    let mut keeps = ours.cloned();
    if let Some(own) = ours
        && (own != login || !wants)
    {
        list.retain(|one| one != own);
        keeps = None;
    }
    if wants && !list.contains(login) {
        // A list that somebody keeps in mailu.env by hand counts, and is theirs.
        let theirs = ours.is_none() && configured.is_empty() && is_exempt(running, login);
        if !theirs {
            list.push(login.clone());
            keeps = Some(login.clone());
        }
    }
    let changes = list != configured;
    let there = is_exempt(running, login);
    let target = list.contains(login) || (configured.is_empty() && !changes && there);
    // What others have put into mailu.toml and not yet applied is theirs to apply.
    let applies = (wants || ours.is_some()) && (changes || target != there);
    Exemption {
        list,
        changes,
        ours: keeps,
        applies,
        exempt: if applies { target } else { there },
    }
}

/// Whether Mailu's list names a login. It compares in lower case, and splits at commas.
pub fn is_exempt(list: &str, login: &EmailAddress) -> bool {
    let login = login.to_string();
    list.split(',')
        .any(|one| one.trim().eq_ignore_ascii_case(&login))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> EmailAddress {
        text.parse().unwrap()
    }

    fn plan(
        configured: &[&str],
        running: &str,
        ours: Option<&str>,
        wanted: Option<bool>,
    ) -> (String, bool, Option<String>, bool) {
        let configured: Vec<_> = configured.iter().map(|one| address(one)).collect();
        let ours = ours.map(address);
        let all = exemption(
            &configured,
            running,
            &address("news@example.com"),
            ours.as_ref(),
            wanted,
        );
        let list: Vec<_> = all.list.iter().map(ToString::to_string).collect();
        (
            list.join(","),
            all.changes,
            all.ours.map(|one| one.to_string()),
            all.exempt,
        )
    }

    #[test]
    fn a_login_is_added_once_and_leaves_with_its_app_alone() {
        const NEWS: &str = "news@example.com";
        let ours = || Some(NEWS.to_owned());
        // Added; again nothing; taken back.
        assert_eq!(
            plan(&[], "", None, Some(true)),
            (NEWS.to_owned(), true, ours(), true)
        );
        assert_eq!(
            plan(&[NEWS], NEWS, Some(NEWS), Some(true)),
            (NEWS.to_owned(), false, ours(), true)
        );
        assert_eq!(
            plan(&[NEWS], NEWS, Some(NEWS), Some(false)),
            (String::new(), true, None, false)
        );
        assert_eq!(
            plan(&[NEWS], NEWS, Some(NEWS), None),
            (String::new(), true, None, false)
        );
        // Others stay, in their order.
        let (a, b) = ("a@example.com", "b@example.com");
        assert_eq!(
            plan(&[a, NEWS, b], "", Some(NEWS), Some(false)).0,
            "a@example.com,b@example.com"
        );
        assert_eq!(
            plan(&[a], "", None, Some(true)).0,
            "a@example.com,news@example.com"
        );
        // Who was there without us stays, whatever is wanted.
        assert_eq!(
            plan(&[NEWS], NEWS, None, Some(true)),
            (NEWS.to_owned(), false, None, true)
        );
        assert_eq!(
            plan(&[NEWS], NEWS, None, Some(false)),
            (NEWS.to_owned(), false, None, true)
        );
        // So does a list by hand in mailu.env, which Mailu reads in its own way.
        assert_eq!(
            plan(&[], "x@example.com, NEWS@example.com", None, Some(true)),
            (String::new(), false, None, true)
        );
        // Another login takes the place of the old one.
        assert_eq!(
            plan(&[a], a, Some(a), Some(true)),
            (NEWS.to_owned(), true, ours(), true)
        );
        // Configured and not yet in force: by us it is brought there, by others it does not count yet.
        let halves = |wanted| {
            let news = address(NEWS);
            let all = exemption(std::slice::from_ref(&news), "", &news, None, wanted);
            (all.changes, all.applies, all.exempt)
        };
        assert_eq!(halves(Some(true)), (false, true, true));
        assert_eq!(halves(None), (false, false, false));
        // Nothing was asked for.
        assert_eq!(
            plan(&[], "", None, None),
            (String::new(), false, None, false)
        );
    }
}
