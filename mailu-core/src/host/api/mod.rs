//! Every operation by name, with plain data: what the Python and Node packages call, and what the program prints with `--json`.
//!
//! A language on top needs [`call`], [`Listening`] for what is heard meanwhile, and, with the feature `schema`, [`schema`] for its types.

mod accounts;
mod apps;
mod backups;
mod config;
#[expect(
    clippy::struct_field_names,
    reason = "options have the names that the program gives them"
)]
mod deploy;
mod dns;
mod operate;
mod pure;
mod request;

use std::ops::ControlFlow;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::perform::Progress;
use super::root::Mailu;
use crate::api::guarded;
use crate::error::{Error, ErrorKind};
use crate::finding::{Finding, nearest};
use crate::plan::Step;
use crate::start::Stage;
use request::Request;

pub use accounts::{
    AllAccounts, Exported, NewPassword, TokenDeleted, TokenMade, UserChanged, unconfirmed,
};
pub use apps::{AppSettings, AppWish};
pub use backups::confirm_deletion;
pub use deploy::{Installed, Names, RevealedSecret, candidate};
pub use dns::{DnsExported, DnsText, only_zone};
pub use operate::{Each, IgnoreRules};

/// Where an operation works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Side {
    /// Nowhere: data in, data out.
    Pure,
    /// On this host, below a root.
    Host,
}

macro_rules! operations {
    ($($name:ident $text:literal $side:ident $request:path $(, gives $item:ty)?;)*) => {
        /// An operation, by what the program calls it: `user_add` is `mailu user add`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Operation {
            $(
                #[doc = concat!("`", $text, "`")]
                $name,
            )*
        }

        impl Operation {
            /// Every operation.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name in `snake_case`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// Where it works.
            pub const fn side(self) -> Side {
                match self {
                    $(Self::$name => Side::$side,)*
                }
            }

            fn perform(self, mailu: &Mailu, request: Value, progress: &mut dyn Progress) -> Result<Value, Error> {
                match self {
                    $(Self::$name => perform::<$request>(self, mailu, request, progress),)*
                }
            }

            #[cfg(feature = "schema")]
            fn schema(self, types: &mut schema::Types) -> Value {
                match self {
                    $(Self::$name => types.operation::<$request>(self, None $(.or(Some(<$item as schema::Described>::describe)))?),)*
                }
            }
        }
    };
}

operations! {
    CheckConfig "check_config" Pure pure::CheckConfig;
    Render "render" Pure pure::Render;
    DnsRecords "dns_records" Pure pure::DnsRecords;
    ConfigSchema "config_schema" Pure pure::ConfigSchema;
    AccountsSchema "accounts_schema" Pure pure::AccountsSchema;
    AppList "app_list" Pure pure::AppList;
    SettingsOfApp "settings_of_app" Pure pure::SettingsOfApp;

    Install "install" Host deploy::Install;
    Apply "apply" Host deploy::Apply;
    Plan "plan" Host deploy::Plan;
    Check "check" Host deploy::Check;
    List "list" Host deploy::List;
    Show "show" Host deploy::Show;
    Secret "secret" Host deploy::ShowSecret;
    Uninstall "uninstall" Host backups::Uninstall;

    Dns "dns" Host dns::Dns;
    DnsCheck "dns_check" Host dns::DnsCheck;
    DnsText "dns_text" Host dns::Rendered;
    DnsExport "dns_export" Host dns::Export;

    Status "status" Host operate::Status;
    StatusAll "status_all" Host operate::StatusAll;
    StatusWatch "status_watch" Host operate::StatusWatch, gives crate::status::Report;
    StatusAllWatch "status_all_watch" Host operate::StatusAllWatch, gives crate::status::Fleet;
    Logs "logs" Host operate::Logs, gives super::LogEntry;
    Start "start" Host operate::Start;
    Stop "stop" Host operate::Stop;
    Restart "restart" Host operate::Restart;
    Exec "exec" Host operate::Exec;
    TestEmail "test_email" Host operate::TestMessage, gives crate::delivery::Step;
    Diagnose "diagnose" Host operate::Diagnose;
    DiagnoseIgnore "diagnose_ignore" Host operate::DiagnoseIgnore;
    DiagnoseUnignore "diagnose_unignore" Host operate::DiagnoseUnignore;
    Certs "certs" Host operate::Certs;
    CertsAll "certs_all" Host operate::CertsAll;
    CertsSync "certs_sync" Host operate::CertsSync;
    CertsSyncAll "certs_sync_all" Host operate::CertsSyncAll;
    CertsTimer "certs_timer" Host operate::CertsTimer;

    Backup "backup" Host backups::Backup;
    BackupAll "backup_all" Host backups::BackupAll;
    BackupList "backup_list" Host backups::BackupList;
    BackupVerify "backup_verify" Host backups::BackupVerify;
    BackupPrune "backup_prune" Host backups::BackupPrune;
    BackupTimer "backup_timer" Host backups::BackupTimer;
    Restore "restore" Host backups::Restore;
    Update "update" Host backups::Update;

    DomainList "domain_list" Host accounts::DomainList;
    DomainShow "domain_show" Host accounts::DomainShow;
    DomainAdd "domain_add" Host accounts::DomainAdd;
    DomainSet "domain_set" Host accounts::DomainSet;
    DomainDelete "domain_delete" Host accounts::DomainDelete;
    UserList "user_list" Host accounts::UserList;
    UserShow "user_show" Host accounts::UserShow;
    UserAdd "user_add" Host accounts::UserAdd;
    UserSet "user_set" Host accounts::UserSet;
    UserPasswd "user_passwd" Host accounts::UserPasswd;
    UserEnable "user_enable" Host accounts::UserEnable;
    UserDisable "user_disable" Host accounts::UserDisable;
    UserDelete "user_delete" Host accounts::UserDelete;
    AliasList "alias_list" Host accounts::AliasList;
    AliasShow "alias_show" Host accounts::AliasShow;
    AliasAdd "alias_add" Host accounts::AliasAdd;
    AliasSet "alias_set" Host accounts::AliasSet;
    AliasDelete "alias_delete" Host accounts::AliasDelete;
    RelayList "relay_list" Host accounts::RelayList;
    RelayShow "relay_show" Host accounts::RelayShow;
    RelayAdd "relay_add" Host accounts::RelayAdd;
    RelaySet "relay_set" Host accounts::RelaySet;
    RelayDelete "relay_delete" Host accounts::RelayDelete;
    TokenList "token_list" Host accounts::TokenList;
    TokenAdd "token_add" Host accounts::TokenAdd;
    TokenDelete "token_delete" Host accounts::TokenDelete;
    AccountsList "accounts_list" Host accounts::AccountsList;
    AccountsPlan "accounts_plan" Host accounts::AccountsPlan;
    AccountsApply "accounts_apply" Host accounts::AccountsApply;
    AccountsExport "accounts_export" Host accounts::AccountsExport;

    AppSettings "app_settings" Host apps::Settings;
    Integrate "integrate" Host apps::Integrate;
    Disconnect "disconnect" Host apps::Disconnect;

    ConfigCheck "config_check" Host config::ConfigCheck;
    ConfigGet "config_get" Host config::ConfigGet;
    ConfigSet "config_set" Host config::ConfigSet;
    ConfigUnset "config_unset" Host config::ConfigUnset;
}

impl std::str::FromStr for Operation {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let names = || Self::ALL.iter().map(|one| one.name());
        Self::ALL
            .iter()
            .copied()
            .find(|one| one.name() == name)
            .ok_or_else(|| {
                let error = Error::new(
                    ErrorKind::InvalidInput,
                    "call.unknown",
                    format!("call `{}`: there is no such operation", name.escape_debug()),
                );
                match nearest(name, names()) {
                    Some(near) => error.hint(format!("did you mean `{near}`?")),
                    None => error.hint(format!(
                        "there are: {}",
                        names().collect::<Vec<_>>().join(", ")
                    )),
                }
            })
    }
}

/// Performs an operation: `request` has its options by name, the result is what `mailu --json` prints. `root` is where AgencyStack lives,
/// usually [`crate::paths::DEFAULT_ROOT`]; pure operations do not look at it. A panic becomes an error.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`] with `call.unknown` or `call.invalid` for what is no operation and no request of it, and what the operation says.
/// `interrupted` where `progress` wanted that: then the same call continues.
///
/// # Examples
///
/// ```
/// use mailu_core::host::{Hidden, api};
/// let root = std::path::Path::new("/nowhere");
/// let all = api::call(root, "list", serde_json::json!({}), &mut Hidden)?;
/// assert_eq!(all, serde_json::json!([]));
/// let error = api::call(root, "list", serde_json::json!({ "al": true }), &mut Hidden).unwrap_err();
/// assert_eq!(error.code(), "call.invalid");
/// # Ok::<(), mailu_core::Error>(())
/// ```
pub fn call(
    root: &Path,
    operation: &str,
    request: Value,
    progress: &mut dyn Progress,
) -> Result<Value, Error> {
    guarded(|| {
        let operation: Operation = operation.parse()?;
        operation.perform(&Mailu::new(root)?, request, progress)
    })
}

fn perform<R: Request>(
    operation: Operation,
    mailu: &Mailu,
    request: Value,
    progress: &mut dyn Progress,
) -> Result<Value, Error> {
    let request: R = read(operation, request)?;
    let answer = request.perform(mailu, progress)?;
    serde_json::to_value(answer).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            "output.json",
            format!("hand over the result of {}", operation.name()),
        )
        .source(error)
    })
}

/// Reads a request. What was given is never repeated: it may be a password in the wrong place.
fn read<R: Request>(operation: Operation, request: Value) -> Result<R, Error> {
    let request = match request {
        Value::Null => Value::Object(serde_json::Map::new()),
        Value::Object(mut map) => {
            // Nothing is what was not given.
            map.retain(|_, value| !value.is_null());
            Value::Object(map)
        }
        other => other,
    };
    serde_path_to_error::deserialize(request).map_err(|error| {
        let (path, text) = (error.path().to_string(), error.inner().to_string());
        let quoted = |text: &str| text.split('`').nth(1).unwrap_or_default().to_owned();
        let (subject, rule) = if text.starts_with("unknown field ") {
            let known = text
                .split_once(", expected ")
                .map_or("there are none", |(_, known)| known);
            let rule = format!("is no option of `{}`: {known}", operation.name());
            (quoted(&text), rule)
        } else if text.starts_with("missing field ") {
            (quoted(&text), "is missing".to_owned())
        } else if let Some((_, expected)) = text.rsplit_once(", expected ") {
            (path, format!("must be {expected}"))
        } else {
            (path, text)
        };
        Error::new(
            ErrorKind::InvalidInput,
            "call.invalid",
            format!("call `{}`: `{subject}` {rule}", operation.name()),
        )
        .findings(vec![Finding::error("call.invalid", subject, rule)])
    })
}

/// Something that is heard while an operation runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A step of a plan is about to be done.
    Step {
        /// Which, from 1.
        number: usize,
        /// Of how many.
        total: usize,
        /// It, in words.
        text: String,
    },
    /// A part of bringing a deployment up begins.
    Stage {
        /// Its name.
        stage: &'static str,
    },
    /// What is being done, or waited for and why.
    Said {
        /// A sentence.
        line: String,
    },
    /// A piece of the result.
    Item {
        /// It; its type is the operation's.
        item: Value,
    },
}

/// Hears everything by one function; another one is asked whether to stop.
pub struct Listening<H, S> {
    hear: H,
    stop: S,
}

impl<H, S> std::fmt::Debug for Listening<H, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listening").finish_non_exhaustive()
    }
}

impl<H: FnMut(Event) -> ControlFlow<()>, S: FnMut() -> bool> Listening<H, S> {
    /// `hear` gets each event, and breaks what has no end; `stop` is asked often.
    pub fn new(hear: H, stop: S) -> Self {
        Self { hear, stop }
    }
}

impl<H: FnMut(Event) -> ControlFlow<()>, S: FnMut() -> bool> Progress for Listening<H, S> {
    fn step(&mut self, number: usize, total: usize, step: &Step) {
        let _ = (self.hear)(Event::Step {
            number,
            total,
            text: step.describe(),
        });
    }

    fn stage(&mut self, stage: Stage) {
        let _ = (self.hear)(Event::Stage {
            stage: stage.as_str(),
        });
    }

    fn said(&mut self, line: &str) {
        let _ = (self.hear)(Event::Said {
            line: line.to_owned(),
        });
    }

    fn item(&mut self, item: Value) -> ControlFlow<()> {
        (self.hear)(Event::Item { item })
    }

    fn interrupted(&mut self) -> bool {
        (self.stop)()
    }
}

#[cfg(feature = "schema")]
pub use schema::schema;

/// What a request and its answer look like.
#[cfg(feature = "schema")]
mod schema {
    use schemars::generate::SchemaSettings;
    use schemars::{JsonSchema, SchemaGenerator};
    use serde_json::{Map, Value, json};

    use super::{Event, Operation, Request};
    use crate::error::Failure;

    pub(super) type Describe = fn(&mut SchemaGenerator) -> Value;

    pub(super) trait Described {
        fn describe(generator: &mut SchemaGenerator) -> Value;
    }

    impl<T: JsonSchema> Described for T {
        fn describe(generator: &mut SchemaGenerator) -> Value {
            generator.subschema_for::<T>().to_value()
        }
    }

    #[derive(Debug)]
    pub(super) struct Types {
        given: SchemaGenerator,
        answered: SchemaGenerator,
    }

    impl Types {
        pub(super) fn operation<R: Request>(
            &mut self,
            operation: Operation,
            item: Option<Describe>,
        ) -> Value {
            json!({
                "side": operation.side(),
                "request": self.given.root_schema_for::<R>().to_value(),
                "result": R::Answer::describe(&mut self.answered),
                "item": item.map(|describe| describe(&mut self.answered)),
            })
        }
    }

    /// Every operation by name, with the JSON Schemas of its request, its result and the pieces that it gives on the way; `event` and `failure`;
    /// `types`, to which `#/types/NAME` refers.
    pub fn schema() -> Value {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/types".into();
                settings.meta_schema = None;
            })
        };
        let mut types = Types {
            given: settings()
                .with(|settings| settings.inline_subschemas = true)
                .into_generator(),
            answered: settings().for_serialize().into_generator(),
        };
        let operations: Map<String, Value> = Operation::ALL
            .iter()
            .map(|operation| (operation.name().to_owned(), operation.schema(&mut types)))
            .collect();
        let event = Event::describe(&mut types.answered);
        let failure = Failure::describe(&mut types.answered);
        json!({
            "root": crate::paths::DEFAULT_ROOT,
            "operations": operations,
            "event": event,
            "failure": failure,
            "types": types.answered.take_definitions(true),
        })
    }
}
