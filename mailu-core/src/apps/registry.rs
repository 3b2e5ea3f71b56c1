//! The apps by name, and the forms in which each is told.

use std::fmt;

use super::merge::{env, ini, json};
use super::value::Map;
use super::{Profile, Tls, quote, rules};
use super::{
    calcom, chatwoot, discourse, documenso, frappe, generic as any, ghost, gitea, gitlab, grafana,
    keycloak, killbill, mattermost, n8n, nextcloud, peertube, taiga,
};
use crate::error::{Error, ErrorKind};
use crate::finding::nearest;

/// What STARTTLS is worth in an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Starttls {
    /// The app sends nothing without it.
    Required,
    /// The app goes on without encryption where somebody on the way hides the offer.
    Opportunistic,
    /// The app encrypts for whoever is there, without looking at the certificate.
    Unverified,
    /// The app cannot do it.
    Impossible,
}

/// A form of an app's own.
#[derive(Clone, Copy)]
pub(super) struct Form {
    /// Its name on the command line.
    pub(super) name: &'static str,
    /// Where it goes, for people.
    pub(super) about: &'static str,
    pub(super) write: fn(&Profile) -> Result<String, Error>,
    /// How it is put into a file that has other settings.
    pub(super) merge: Merge,
}

/// How a form is put into a file that has other settings.
#[derive(Clone, Copy)]
pub(super) enum Merge {
    /// It is no part of a file.
    None,
    /// The keys of the outermost object.
    Json,
    /// Sections and keys.
    Ini,
}

/// What an app reads from its environment.
#[derive(Clone, Copy)]
pub(super) struct Environment {
    /// Where it goes, for people.
    pub(super) about: &'static str,
    pub(super) variables: fn(&Profile) -> Result<Variables, Error>,
    /// Variables that would get in the way, and are therefore not to be set.
    pub(super) unwanted: &'static [&'static str],
}

/// Variables in the order in which they are written.
pub(super) type Variables = Vec<(&'static str, String)>;

/// An app that sends mail.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct App {
    /// Its name on the command line: `ghost`.
    pub name: &'static str,
    /// Its name as people write it: `Ghost`.
    pub title: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// What STARTTLS is worth in it.
    pub starttls: Starttls,
    /// What to restart, and what is a trap.
    pub notes: &'static [&'static str],
    pub(super) forms: &'static [Form],
    pub(super) environment: Option<Environment>,
    /// It begins with TLS on port 465, and on no other.
    pub(super) by_port: bool,
    /// The usual one of its forms.
    pub(super) usual: &'static str,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// An app's settings as text. `Debug` hides it: it has the secret.
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "AppText")
)]
#[non_exhaustive]
pub struct Settings {
    /// The app's name; that of [`generic`] where no app of ours was meant.
    pub app: &'static str,
    /// The form.
    pub format: &'static str,
    /// Where it goes.
    pub about: String,
    /// The settings.
    pub text: String,
    /// What to restart, and what is a trap.
    pub notes: Vec<String>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("app", &self.app)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

/// An app, for a list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "AppInfo")
)]
#[non_exhaustive]
pub struct Info {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its name as people write it.
    pub title: &'static str,
    /// Other names for it.
    pub aliases: Vec<&'static str>,
    /// The forms in which it can be told, the usual one first.
    pub formats: Vec<&'static str>,
    /// What STARTTLS is worth in it.
    pub starttls: Starttls,
    /// What to restart, and what is a trap.
    pub notes: Vec<&'static str>,
}

/// The forms of variables, the usual one first.
const VARIABLES: [&str; 6] = ["env", "compose", "shell", "json", "yaml", "toml"];

/// Every app, by name.
pub const ALL: &[App] = &[
    calcom::APP,
    chatwoot::APP,
    discourse::APP,
    documenso::APP,
    frappe::APP,
    ghost::APP,
    gitea::APP,
    gitlab::APP,
    grafana::APP,
    keycloak::APP,
    killbill::APP,
    mattermost::APP,
    n8n::APP,
    nextcloud::APP,
    peertube::APP,
    taiga::APP,
];

/// Any other app: `SMTP_…` variables.
pub const fn generic() -> &'static App {
    &any::APP
}

/// The app called `name`, in any case.
///
/// # Errors
///
/// [`ErrorKind::NotFound`], with the name that it may have been meant for.
pub fn by_name(name: &str) -> Result<&'static App, Error> {
    let wanted = name.trim().to_ascii_lowercase();
    let names = |app: &'static App| std::iter::once(app.name).chain(app.aliases.iter().copied());
    let mut all = ALL.iter().chain([generic()]);
    if let Some(app) = all.find(|app| names(app).any(|name| name == wanted)) {
        return Ok(app);
    }
    let error = Error::new(
        ErrorKind::NotFound,
        "app.unknown",
        format!(
            "find the app `{}`: none of that name is known",
            name.escape_debug()
        ),
    );
    let error = match nearest(&wanted, ALL.iter().flat_map(names)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    };
    let known: Vec<_> = ALL.iter().map(|app| app.name).collect();
    Err(error
        .hint(format!("there are: {}", known.join(", ")))
        .hint("for another app, `generic` has the settings as SMTP_… variables, in any of the usual formats"))
}

/// Every app, and [`generic`], for a list.
pub fn list() -> Vec<Info> {
    let all = ALL.iter().chain([generic()]);
    all.map(|app| Info {
        name: app.name,
        title: app.title,
        aliases: app.aliases.to_vec(),
        formats: app.formats(),
        starttls: app.starttls,
        notes: app.notes.to_vec(),
    })
    .collect()
}

/// The app called `name`; [`generic`], with a note about that, where none is and `format` is one for variables.
///
/// # Errors
///
/// As [`by_name`].
pub fn find(name: &str, format: Option<&str>) -> Result<(&'static App, Option<String>), Error> {
    match by_name(name) {
        Ok(app) => Ok((app, None)),
        Err(unknown) if format.is_some_and(|format| VARIABLES.contains(&format)) => {
            let near = unknown
                .hints()
                .first()
                .filter(|hint| hint.starts_with("did"));
            let near = near.map(|hint| format!("; {hint}")).unwrap_or_default();
            let note = format!("no app called `{}` is known{near}", name.escape_debug());
            Ok((generic(), Some(note)))
        }
        Err(unknown) => Err(unknown),
    }
}

impl App {
    /// The forms in which it can be told, the usual one first.
    pub fn formats(&self) -> Vec<&'static str> {
        let mut all: Vec<_> = self.forms.iter().map(|form| form.name).collect();
        if self.environment.is_some() {
            all.extend(VARIABLES.iter().filter(|name| !self.has(name)));
        }
        // Stable, so that the others keep their order.
        all.sort_by_key(|name| *name != self.usual);
        all
    }

    /// Whether it has a form of its own by that name.
    fn has(&self, name: &str) -> bool {
        self.forms.iter().any(|form| form.name == name)
    }

    /// Where the form goes, for people.
    pub fn about(&self, format: &str) -> &'static str {
        let own = self.forms.iter().find(|form| form.name == format);
        own.map(|form| form.about)
            .or(self.environment.map(|environment| environment.about))
            .unwrap_or_default()
    }

    /// The variables by which it is told, and the names that must not be set beside them.
    fn variables(&self, profile: &Profile) -> Result<(Variables, Vec<&'static str>), Error> {
        self.check(profile)?;
        let Some(environment) = self.environment else {
            return Ok((Variables::new(), Vec::new()));
        };
        let variables = (environment.variables)(profile)?;
        let unwanted = environment.unwanted.iter().copied();
        let unwanted = unwanted
            .filter(|name| variables.iter().all(|(one, _)| one != name))
            .collect();
        Ok((variables, unwanted))
    }

    /// Whether it can do what the profile wants.
    pub(super) fn check(&self, profile: &Profile) -> Result<(), Error> {
        rules::check(profile)?;
        let refused = |code: &'static str, why: String| {
            Err(Error::new(
                ErrorKind::InvalidInput,
                code,
                format!(
                    "tell {} to send through {}: {why}",
                    self.title, profile.host
                ),
            )
            .hint("use TLS from the first byte, on port 465 (`--tls implicit`)"))
        };
        if profile.tls == Tls::Starttls && self.starttls == Starttls::Impossible {
            return refused("app.no_starttls", "it cannot do STARTTLS".to_owned());
        }
        if self.by_port && (profile.tls == Tls::Implicit) != (profile.port == 465) {
            return refused(
                "app.by_port",
                format!(
                    "it begins with TLS on port 465 alone, and the port is {}",
                    profile.port
                ),
            );
        }
        Ok(())
    }

    /// What it is to be told, in the form `format`, or in its usual one. A form that the app does not have, and that variables can be
    /// written in, has those of [`generic`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] if the profile breaks a rule (all that is wrong, at once), if the app cannot do what it asks for, if there
    /// is no such form, or if a value cannot be written in it.
    pub fn settings(&self, profile: &Profile, format: Option<&str>) -> Result<Settings, Error> {
        let formats = self.formats();
        let wanted = format.unwrap_or(self.usual);
        if let Some(form) = self.forms.iter().find(|form| form.name == wanted) {
            self.check(profile)?;
            return Ok(self.settled(profile, form.name, form.about, (form.write)(profile)?));
        }
        let Some(format) = VARIABLES.iter().find(|name| **name == wanted) else {
            let error = Error::new(
                ErrorKind::InvalidInput,
                "app.unknown_format",
                format!(
                    "write settings for {} as `{}`: there is no such format",
                    self.title,
                    wanted.escape_debug()
                ),
            );
            let error = match nearest(wanted, formats.iter().chain(&VARIABLES).copied()) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error,
            };
            return Err(error.hint(format!("there are: {}", formats.join(", "))));
        };
        if self.environment.is_none() {
            let mut settings = generic().settings(profile, Some(format))?;
            settings.notes.insert(
                0,
                format!(
                    "{} does not read these by itself: its own forms are {}",
                    self.title,
                    formats.join(", ")
                ),
            );
            return Ok(settings);
        }
        let (variables, unwanted) = self.variables(profile)?;
        let text = written(&variables, format)?;
        let mut settings = self.settled(profile, format, self.about(format), text);
        if !unwanted.is_empty() {
            settings.notes.push(format!(
                "must not be set beside these: {}",
                unwanted.join(", ")
            ));
        }
        Ok(settings)
    }

    /// The same, put into a file: `there` is what it has, and all of it stays that is not about the same. The variables of an environment
    /// file, or of one that a shell reads, go into a block with marks; the same names elsewhere in it become comments, which [`super::unmerge_env`] takes back.
    ///
    /// # Errors
    ///
    /// As [`App::settings`]; [`ErrorKind::InvalidInput`] if the form is not for a file with other settings, or if what is there cannot be
    /// read; [`ErrorKind::Conflict`] if a key is there twice, or half of the block.
    pub fn merged(
        &self,
        profile: &Profile,
        format: Option<&str>,
        there: &str,
    ) -> Result<Settings, Error> {
        let mut settings = self.settings(profile, format)?;
        let form = self.forms.iter().find(|form| form.name == settings.format);
        settings.text = match (form.map(|form| form.merge), settings.format) {
            (Some(Merge::Json), _) => json::merge(there, &settings.text)?,
            (Some(Merge::Ini), _) => ini::merge(there, &settings.text)?,
            (None, "env" | "shell") => {
                let app = if self.environment.is_some() {
                    self
                } else {
                    generic()
                };
                let (variables, unwanted) = app.variables(profile)?;
                env::merge(there, &variables, &unwanted, &settings.text)?
            }
            _ => {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "app.no_merge",
                    format!(
                        "put settings for {} into a file as `{}`: that is no part of a file with other settings",
                        self.title, settings.format
                    ),
                )
                .hint("print it, or write it into a file of its own"));
            }
        };
        Ok(settings)
    }

    fn settled(
        &self,
        profile: &Profile,
        format: &'static str,
        about: &str,
        text: String,
    ) -> Settings {
        let mut notes: Vec<String> = self.notes.iter().map(|note| (*note).to_owned()).collect();
        if profile.tls == Tls::Starttls {
            let note = match self.starttls {
                Starttls::Opportunistic => {
                    Some("sends without encryption where somebody on the way hides STARTTLS")
                }
                Starttls::Unverified => Some("does not look at the certificate with STARTTLS"),
                Starttls::Required | Starttls::Impossible => None,
            };
            notes.extend(note.map(|note| {
                format!(
                    "{} {note}: TLS from the first byte (port 465) is better",
                    self.title
                )
            }));
        }
        Settings {
            app: self.name,
            format,
            about: about.to_owned(),
            text,
            notes,
        }
    }
}

/// Variables in a form for them.
pub(super) fn written(variables: &Variables, format: &str) -> Result<String, Error> {
    let lines = |line: &dyn Fn(&str, &str) -> Result<String, Error>| {
        variables
            .iter()
            .map(|(name, value)| Ok(line(name, value)? + "\n"))
            .collect::<Result<String, Error>>()
    };
    match format {
        "compose" => {
            let lines = lines(&|name, value| {
                Ok(format!(
                    "  {name}: {}",
                    quote::yaml(&value.replace('$', "$$"))
                ))
            })?;
            Ok(format!("environment:\n{lines}"))
        }
        "shell" => lines(&|name, value| Ok(format!("{name}={}", quote::shell(value)))),
        "json" => {
            let mut map = Map::default();
            for (name, value) in variables {
                map.put(name, value.as_str());
            }
            Ok(map.json())
        }
        "yaml" => lines(&|name, value| Ok(format!("{name}: {}", quote::yaml(value)))),
        "toml" => lines(&|name, value| Ok(format!("{name} = {}", quote::toml(value)))),
        _ => lines(&quote::env),
    }
}
