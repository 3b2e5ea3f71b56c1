//! What can be typed.
#![expect(
    clippy::doc_markdown,
    reason = "these are help texts, where backticks stand for commands"
)]
#![expect(clippy::struct_excessive_bools, reason = "flags")]

mod accounts;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use mailu_core::Secret;
use mailu_core::config::units::Version;
use mailu_core::names::{ClientId, DomainName, EmailAddress, EmailDomain, MailHost};
use mailu_core::paths::DEFAULT_ROOT;

pub use accounts::{
    AccountsCommand, AliasCommand, Deleting, DomainCommand, NetworkArg, PasswordSource,
    RelayCommand, Said, Switching, TokenCommand, UserCommand, WantedAccounts,
};

/// Installs and runs the Mailu mail server behind Traefik, for agencies that host many clients.
///
/// Exit status: 0 fine, 1 something needs a decision or an eye, 2 failed or wrong usage, 130 interrupted.
#[derive(Debug, Parser)]
#[command(
    name = "mailu",
    version,
    arg_required_else_help = true,
    infer_long_args = true
)]
pub struct Cli {
    /// What applies to every verb.
    #[command(flatten)]
    pub global: Global,
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every verb.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Where AgencyStack lives: deployments go below DIR/mailu, secrets below DIR/secrets.
    #[arg(long, global = true, value_name = "DIR", env = "AGENCY_STACK_ROOT", default_value = DEFAULT_ROOT)]
    pub root: PathBuf,
    /// Directory of AgencyStack's log files; without it, they are written for deployments below the usual root only.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "AGENCY_STACK_LOG_DIR",
        hide = true
    )]
    pub log_dir: Option<PathBuf>,
    /// Print the result as JSON, as the Python and Node packages return it.
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing but warnings, errors and the result.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// When to use colours. `NO_COLOR` is respected.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a deployment, or bring an existing one to what is asked for, and start it.
    Install(Install),
    /// Bring a deployment's files to what its mailu.toml says, and its containers, if it has some.
    Apply(Apply),
    /// Show what `apply` would do.
    Plan(Apply),
    /// Generate files from a mailu.toml, without touching a deployment.
    Render(Render),
    /// Check whether this host can run a deployment, before or after its installation: engine, ports, names, room, the way out, Traefik.
    #[command(alias = "preflight")]
    Check(Check),
    /// Print the DNS records to publish.
    Dns(Dns),
    /// List the deployments of this host.
    List,
    /// Show a deployment: addresses, where its files and secrets are, its configuration.
    Show(Show),
    /// Show certificates: where they come from, how long they last, what front serves; take over renewed ones.
    Certs(Certs),
    /// Show how a deployment is: services, certificate, mail queue, disk, backups. Exit status 1 unless all is well.
    Status(Status),
    /// Show what services wrote, in order of time.
    Logs(Logs),
    /// Start services that do not run, and wait until they are ready.
    Start(Power),
    /// Stop services.
    Stop(Power),
    /// Restart services, and wait until they are ready.
    Restart(Power),
    /// Run a program in a service's container.
    Exec(Exec),
    /// Take a deployment's containers and networks down. Data, configuration and secrets stay unless told otherwise.
    Uninstall(Uninstall),
    /// Send a message as a mail program does, and follow it: log-in, queue, delivery, mailbox, SPF, DKIM and DMARC.
    #[command(after_help = TEST_EMAIL_EXIT)]
    TestEmail(TestEmail),
    /// Back a deployment up while it runs: mail, accounts, keys, configuration, secrets, in one archive. Also: list, verify, prune, timer.
    #[command(args_conflicts_with_subcommands = true)]
    Backup(Backup),
    /// Restore a backup: read whole first, unpacked beside what is there, kept only if it works. Mail that has arrived since stays.
    Restore(Restore),
    /// Go to another release of Mailu: backup first, and back to what was there if anything does not work that worked before.
    Update(Update),
    /// Say what is wrong, from the containers to what DNS and reputation lists say, and what to type next.
    Diagnose(Diagnose),
    /// List, show, make, change and delete email domains.
    #[command(subcommand)]
    Domain(DomainCommand),
    /// List, show, make, change, disable and delete users, and set their passwords.
    #[command(subcommand)]
    User(UserCommand),
    /// List, show, make, change and delete aliases.
    #[command(subcommand)]
    Alias(AliasCommand),
    /// List, make and delete tokens: passwords for one program each.
    #[command(subcommand)]
    Token(TokenCommand),
    /// List, show, make, change and delete domains whose mail is handed on.
    #[command(subcommand)]
    Relay(RelayCommand),
    /// Many accounts at once: an accounts.toml, or a table of users, compared with what is there, applied, exported.
    #[command(subcommand)]
    Accounts(AccountsCommand),
    /// Have an app send through this server: its own mailbox and token, its settings, a test message. WordPress, Listmonk, ERPNext and inboxes of Chatwoot wholly, others by a file.
    Integrate(Integrate),
    /// Say what an app has to be told to send through this server, in the app's own format.
    #[command(subcommand)]
    App(AppCommand),
    /// Look at, check and change mailu.toml.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the manual page.
    Man,
}

impl Command {
    /// Whether it changes files.
    pub(crate) fn writes(&self) -> bool {
        matches!(
            self,
            Self::Install(_)
                | Self::Apply(_)
                | Self::Restore(_)
                | Self::Update(_)
                | Self::Certs(Certs {
                    command: Some(CertsCommand::Sync(_)),
                    ..
                })
                | Self::Config(ConfigCommand::Set { .. })
        )
    }
}

/// Which deployment.
#[derive(Debug, Clone, Default, Args)]
pub struct Which {
    /// Mail host of the deployment. Not needed where there is only one.
    #[arg(long, value_name = "MAIL_HOST")]
    pub domain: Option<MailHost>,
    /// Client of the deployment.
    #[arg(long, value_name = "CLIENT")]
    pub client_id: Option<ClientArg>,
}

impl Which {
    /// The client, if one was named.
    pub fn client(&self) -> Option<ClientId> {
        self.client_id.clone().and_then(|client| client.0)
    }
}

/// A client, or an empty text, which Make passes where none is meant.
#[derive(Debug, Clone)]
pub struct ClientArg(pub Option<ClientId>);

impl std::str::FromStr for ClientArg {
    type Err = mailu_core::names::NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            Ok(Self(None))
        } else {
            text.parse().map(Some).map(Self)
        }
    }
}

/// How disagreements with edited files are settled.
#[derive(Debug, Clone, Default, Args)]
pub struct Choices {
    /// Overwrite edited files, keeping a copy of each in .mailu/replaced. Secrets and keys are never drawn again.
    #[arg(long)]
    pub force: bool,
    /// Take the configured value of a variable, or our version of a file, whatever was edited there.
    #[arg(long, value_name = "NAME")]
    pub reset: Vec<String>,
    /// Keep the edited value of a variable, and write it into mailu.toml.
    #[arg(long, value_name = "NAME")]
    pub adopt: Vec<String>,
    /// Give up the lost DKIM key of an email domain for a new one, whose DNS record has to be published. May be repeated.
    #[arg(long, value_name = "DOMAIN")]
    pub new_dkim_key: Vec<EmailDomain>,
}

/// `mailu install`
#[derive(Debug, Args)]
pub struct Install {
    /// Which deployment.
    #[command(flatten)]
    pub which: Which,
    /// The part after the @.
    #[arg(long, value_name = "DOMAIN")]
    pub email_domain: Option<String>,
    /// Address of the first administrator, in an email domain of this server.
    #[arg(long, value_name = "ADDRESS")]
    pub admin_email: Option<String>,
    /// The administrator's password. Everybody on this host can read it while this runs: prefer --admin-password-file.
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "MAILU_ADMIN_PASSWORD",
        hide_env_values = true,
        value_parser = hidden,
        conflicts_with = "admin_password_file"
    )]
    pub admin_password: Option<Secret>,
    /// File with the administrator's password; `-` reads it from the input. Without it, one is drawn.
    #[arg(long, value_name = "FILE")]
    pub admin_password_file: Option<PathBuf>,
    /// File with the password at the relay (`relay.user`); `-` reads it from the input.
    #[arg(long, value_name = "FILE")]
    pub relay_password_file: Option<PathBuf>,
    /// Start from this mailu.toml.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set a key of mailu.toml: `--set limits.quota=10GB`. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub settings: Vec<(String, String)>,
    /// How disagreements are settled.
    #[command(flatten)]
    pub choices: Choices,
    /// Show what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// Write everything, and leave the mail server as it is. Works without Docker.
    #[arg(long)]
    pub no_start: bool,
    /// How long each service may take to become ready. Without it, as long as is usual for each.
    #[arg(long, value_name = "SECONDS")]
    pub wait: Option<u64>,
    /// Install Docker, Compose and Traefik first, also with --no-start.
    #[arg(long)]
    pub with_deps: bool,
    /// How the host is checked first.
    #[command(flatten)]
    pub checks: Checks,
    /// Install no timer for renewed certificates.
    #[arg(long)]
    pub no_timer: bool,
    /// Flags that AgencyStack passes to every component, without a meaning here.
    #[arg(long, hide = true)]
    pub enable_cloud: bool,
    #[expect(missing_docs, reason = "as above")]
    #[arg(long, hide = true)]
    pub enable_openai: bool,
    #[expect(missing_docs, reason = "as above")]
    #[arg(long, hide = true)]
    pub use_github: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "clap's signature")]
fn hidden(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ => Err("must be KEY=VALUE, such as limits.quota=10GB".to_owned()),
    }
}

/// `mailu apply` and `mailu plan`
#[derive(Debug, Args)]
pub struct Apply {
    /// Which deployment.
    #[command(flatten)]
    pub which: Which,
    /// How disagreements are settled.
    #[command(flatten)]
    pub choices: Choices,
    /// Show what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// How long each service may take to become ready. Without it, as long as is usual for each.
    #[arg(long, value_name = "SECONDS")]
    pub wait: Option<u64>,
}

/// `mailu render`
#[derive(Debug, Args)]
pub struct Render {
    /// The mailu.toml.
    pub config: PathBuf,
    /// Directory for the files; it must be empty or missing. Without it, the files are printed one after another.
    #[arg(long, short, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Directory with secrets (secret_key, api_token, relay_password). Without it, their variables are left out.
    #[arg(long, value_name = "DIR")]
    pub secrets: Option<PathBuf>,
    /// Directory with DKIM keys (DOMAIN.SELECTOR.key). Without it, their records are left open.
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
}

/// How the host is checked.
#[derive(Debug, Clone, Default, Args)]
pub struct Checks {
    /// Leave out a check, such as preflight.outbound. It is noted in the deployment. May be repeated.
    #[arg(
        long,
        value_name = "ID",
        env = "MAILU_SKIP_CHECK",
        value_delimiter = ','
    )]
    pub skip_check: Vec<String>,
    /// DNS server to ask for names, ADDRESS or ADDRESS:PORT. Default: the host's.
    #[arg(long, value_name = "ADDRESS", value_parser = dns_server)]
    pub resolver: Option<SocketAddr>,
    /// Mail server to try port 25 with, HOST or HOST:PORT. May be repeated. Default: those of large mail domains.
    #[arg(
        long,
        value_name = "HOST",
        env = "MAILU_OUTBOUND_TO",
        value_delimiter = ','
    )]
    pub outbound_to: Vec<String>,
    /// Root server of the DNS to try, in networks with a root of their own. May be repeated.
    #[arg(
        long,
        value_name = "ADDRESS",
        value_parser = dns_server,
        hide_short_help = true,
        env = "MAILU_ROOT_SERVER",
        value_delimiter = ','
    )]
    pub root_server: Vec<SocketAddr>,
}

fn dns_server(text: &str) -> Result<SocketAddr, String> {
    text.parse::<SocketAddr>()
        .or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53)))
        .map_err(|_| "must be ADDRESS or ADDRESS:PORT, such as 9.9.9.9".to_owned())
}

/// `mailu check`
#[derive(Debug, Args)]
pub struct Check {
    /// Which deployment: one that exists, or one that is to be installed.
    #[command(flatten)]
    pub which: Which,
    /// Check for this mailu.toml, which is not installed yet.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// As if this key of mailu.toml were set. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub settings: Vec<(String, String)>,
    /// How the host is checked.
    #[command(flatten)]
    pub checks: Checks,
}

/// `mailu dns`
#[derive(Debug, Args)]
pub struct Dns {
    /// Which deployment.
    #[command(flatten)]
    pub which: Which,
    /// How to print them.
    #[arg(long, value_enum, default_value_t = DnsFormat::Table, value_name = "FORMAT")]
    pub format: DnsFormat,
    /// Only this zone.
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// Compare them with what all name servers say; with `--format html`, on the page. Exit status 1 where a required record
    /// is missing or wrong, 2 where that could not be found out.
    #[arg(long)]
    pub check: bool,
    /// With --check: DNS server that finds name servers, ADDRESS or ADDRESS:PORT. Default: the host's.
    #[arg(long, value_name = "ADDRESS", value_parser = dns_server, requires = "check")]
    pub resolver: Option<SocketAddr>,
    /// With --check: server to ask for every zone, ADDRESS or ADDRESS:PORT, instead of those that it is delegated to. May be repeated.
    #[arg(long, value_name = "ADDRESS", value_parser = dns_server, requires = "check")]
    pub nameserver: Vec<SocketAddr>,
    /// With --check: certificates (PEM) of authorities to trust for MTA-STS policies, beside those that browsers do.
    #[arg(long, value_name = "FILE", requires = "check")]
    pub ca: Option<PathBuf>,
    /// Write a file for each zone into this directory. A file there that did not come from here is never replaced.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// With `--format html`: the name that stands on the page, usually your agency's.
    #[arg(long, value_name = "NAME")]
    pub agency: Option<String>,
    /// With `--format html`: a logo for the page, PNG, JPEG or SVG. It becomes part of the page.
    #[arg(long, value_name = "FILE")]
    pub logo: Option<PathBuf>,
}

/// `mailu diagnose`
#[derive(Debug, Args)]
pub struct Diagnose {
    /// Which deployment.
    #[command(flatten)]
    pub which: Which,
    /// Only this check (dns, ports, queue …), or only findings of this name (spf.all, spf). May be repeated.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Leave out this check, or findings of this name. May be repeated.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub skip: Vec<String>,
    /// Print only what is new since the last whole diagnosis, and what is gone.
    #[arg(long)]
    pub changes: bool,
    /// Write the report as a page into this file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// With --html: the name that stands on the page, usually your agency's.
    #[arg(long, value_name = "NAME", requires = "html")]
    pub agency: Option<String>,
    /// With --html: a logo for the page, PNG, JPEG or SVG.
    #[arg(long, value_name = "FILE", requires = "html")]
    pub logo: Option<PathBuf>,
    /// Live with findings of this name from now on; a rule for that goes into mailu.toml. Nothing is diagnosed.
    #[arg(long, value_name = "ID", requires = "reason", conflicts_with_all = ["only", "skip", "changes", "html", "unignore"])]
    pub ignore: Option<String>,
    /// With --ignore: why.
    #[arg(long, value_name = "TEXT", requires = "ignore")]
    pub reason: Option<String>,
    /// With --ignore: only where it is about this, such as `example.com` or `port 25`.
    #[arg(long, value_name = "SUBJECT", requires = "ignore")]
    pub subject: Option<String>,
    /// With --ignore: until this day.
    #[arg(long, value_name = "YYYY-MM-DD", requires = "ignore")]
    pub until: Option<String>,
    /// Take the rules for findings of this name out of mailu.toml. Nothing is diagnosed.
    #[arg(long, value_name = "ID", conflicts_with_all = ["only", "skip", "changes", "html"])]
    pub unignore: Option<String>,
    /// DNS server that finds name servers, ADDRESS or ADDRESS:PORT. Default: the host's.
    #[arg(long, value_name = "ADDRESS", value_parser = dns_server)]
    pub resolver: Option<SocketAddr>,
    /// Server to ask about every zone, ADDRESS or ADDRESS:PORT, instead of those that it is delegated to. May be repeated.
    #[arg(long, value_name = "ADDRESS", value_parser = dns_server)]
    pub nameserver: Vec<SocketAddr>,
    /// Mail server to try port 25 with, HOST or HOST:PORT. May be repeated. Default: those of large mail domains.
    #[arg(
        long,
        value_name = "HOST",
        env = "MAILU_OUTBOUND_TO",
        value_delimiter = ','
    )]
    pub outbound_to: Vec<String>,
    /// Server of the time (NTP) to compare the clock with, HOST or HOST:PORT. May be repeated. Default: those of the NTP pool.
    #[arg(
        long,
        value_name = "HOST",
        env = "MAILU_TIME_SERVER",
        value_delimiter = ','
    )]
    pub time_server: Vec<String>,
}

/// A form of DNS records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DnsFormat {
    /// For people, with the reason for each.
    Table,
    /// Zone file lines to paste or import (BIND, and most providers).
    Records,
    /// Complete zone files with SOA and NS (BIND, NSD).
    Zone,
    /// JSON.
    Json,
    /// octoDNS: YAML, a file for each zone.
    Octodns,
    /// Terraform for Cloudflare (provider version 5): `cloudflare_dns_record`.
    TerraformCloudflare,
    /// Terraform for Route 53: `aws_route53_record`, one for each name and type.
    TerraformRoute53,
    /// Commands for nsupdate, which add and never remove.
    Nsupdate,
    /// A table for spreadsheets and scripts.
    Csv,
    /// A table for tickets and wikis.
    Markdown,
    /// A page for whoever owns the domain: what to add where, with copy buttons. A file for each zone.
    Html,
}

/// `mailu show`
#[derive(Debug, Args)]
pub struct Show {
    /// Which deployment.
    #[command(flatten)]
    pub which: Which,
    /// Print one secret and nothing else: admin_password, api_token, secret_key, relay_password, or first_account for Mailu's config-import.
    #[arg(long, value_name = "SECRET")]
    pub reveal: Option<String>,
}

/// `mailu certs`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Certs {
    /// Something else than to show them.
    #[command(subcommand)]
    pub command: Option<CertsCommand>,
    /// Whose.
    #[command(flatten)]
    pub of: Of,
    /// Ask no port what it serves.
    #[arg(long)]
    pub no_probe: bool,
}

/// One deployment, or all of them.
#[derive(Debug, Clone, Default, Args)]
pub struct Of {
    /// Which deployment.
    #[command(flatten)]
    pub which: Which,
    /// Every deployment of this host.
    #[arg(long, conflicts_with_all = ["domain", "client_id"])]
    pub all: bool,
}

/// `mailu certs …`
#[derive(Debug, Subcommand)]
pub enum CertsCommand {
    /// Take over a renewed certificate, and see to it that front serves it. For a timer: it waits for no decision.
    Sync(Of),
    /// The systemd timer that runs `certs sync --all` every hour. `install` installs it.
    Timer(TimerArgs),
}

/// `mailu certs timer`, `mailu backup timer`
#[derive(Debug, Args)]
pub struct TimerArgs {
    /// Print its units, and a line for cron. This is the default.
    #[arg(long)]
    pub print: bool,
    /// Install and start it.
    #[arg(long, conflicts_with = "print")]
    pub install: bool,
    /// Stop and remove it.
    #[arg(long, conflicts_with_all = ["print", "install"])]
    pub remove: bool,
}

/// `mailu backup`
#[derive(Debug, Args)]
pub struct Backup {
    /// Something else than to take one.
    #[command(subcommand)]
    pub command: Option<BackupCommand>,
    /// Of what.
    #[command(flatten)]
    pub of: Of,
    /// The archive: its name ends with .tar.zst or .tar.gz, and with .age behind that if it is encrypted. Default: one with the time in its
    /// name, where `backup.directory` says.
    #[arg(long, short, value_name = "FILE", conflicts_with = "all")]
    pub output: Option<PathBuf>,
    /// Public key of age (age1…) to encrypt it for, instead of `backup.recipients`. May be repeated.
    #[arg(long, value_name = "KEY")]
    pub age_recipient: Vec<String>,
    /// File whose first line is the passphrase to encrypt it with.
    #[arg(long, value_name = "FILE", conflicts_with = "age_recipient")]
    pub passphrase_file: Option<PathBuf>,
    /// Read it once it is written.
    #[arg(long)]
    pub verify: bool,
    /// Keep the older archives that `backup.keep_*` would give up.
    #[arg(long)]
    pub keep_all: bool,
    /// Ask no engine: nothing of the deployment runs.
    #[arg(long)]
    pub cold: bool,
    /// Where accounts are in another database than Mailu's own file: back up without them.
    #[arg(long)]
    pub without_database: bool,
}

/// `mailu backup …`
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Show the archives there are, and which of them are kept for what.
    List(Which),
    /// Read an archive from its beginning to its end, and say whether everything in it is as it was written.
    Verify {
        /// The archive.
        file: PathBuf,
        /// How it is opened.
        #[command(flatten)]
        keys: ArchiveKeys,
    },
    /// Give up the archives that `backup.keep_*` does not keep. Taking one does that too.
    Prune {
        /// Which deployment.
        #[command(flatten)]
        which: Which,
        /// Show which would go.
        #[arg(long)]
        dry_run: bool,
    },
    /// The systemd timer that runs `backup --all` every night.
    Timer(TimerArgs),
}

/// How an archive is opened.
#[derive(Debug, Clone, Default, Args)]
pub struct ArchiveKeys {
    /// File with the secret key of age, where the archive is encrypted for one.
    #[arg(long, value_name = "FILE")]
    pub age_identity: Option<PathBuf>,
    /// File whose first line is the passphrase, where it is encrypted with one.
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// `mailu status`
#[derive(Debug, Args)]
pub struct Status {
    /// Which deployment.
    #[command(flatten)]
    pub which: Which,
    /// Every deployment of this host, one line for each.
    #[arg(long, conflicts_with_all = ["domain", "client_id"])]
    pub all: bool,
    /// Look again every so many seconds, until interrupted.
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "2",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub watch: Option<u64>,
}

/// `mailu logs`
#[derive(Debug, Args)]
pub struct Logs {
    /// The services: front, smtp, imap, admin, antispam … Without any, all of them.
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
    /// Which deployment.
    #[command(flatten)]
    pub which: Which,
    /// Go on with what is written from now on, until interrupted.
    #[arg(short, long)]
    pub follow: bool,
    /// Only lines since then: how long ago (10m, 2h, 3d), or a time (2026-11-22T10:00:00Z).
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Only the last so many lines, of all services together.
    #[arg(long, short = 'n', value_name = "N")]
    pub tail: Option<u64>,
}

/// `mailu start`, `stop` and `restart`
#[derive(Debug, Args)]
pub struct Power {
    /// The services. Without any, all of them.
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
    /// Which deployment.
    #[command(flatten)]
    pub which: Which,
    /// How long each service may take to become ready. Without it, as long as is usual for each; 0 waits for nothing.
    #[arg(long, value_name = "SECONDS")]
    pub wait: Option<u64>,
}

/// `mailu exec`
#[derive(Debug, Args)]
pub struct Exec {
    /// Which deployment.
    #[command(flatten)]
    pub which: Which,
    /// The service.
    pub service: String,
    /// The program and its arguments.
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "CMD"
    )]
    pub command: Vec<String>,
}

/// `mailu uninstall`
#[derive(Debug, Args)]
pub struct Uninstall {
    /// Which deployment.
    #[command(flatten)]
    pub which: Which,
    /// Delete mail, accounts, configuration, keys and secrets too. Nothing brings them back but a backup.
    #[arg(long)]
    pub delete_data: bool,
    /// Confirms --delete-data by the mail host's name, where nobody can be asked for it.
    #[arg(long, value_name = "MAIL_HOST", requires = "delete_data")]
    pub yes_delete: Option<MailHost>,
}

const TEST_EMAIL_EXIT: &str = "Exit status: 0 the message came through, and what must be refused was; 1 something could not be found out or needs an eye; \
2 could not be tried; else the stage that failed: 10 connect, 11 login, 12 submit, 13 queue, 14 deliver, 15 arrive, 16 authenticate; \
17 a stranger or a forged sender was not refused.";

/// `mailu test-email`
#[derive(Debug, Args)]
pub struct TestEmail {
    /// The recipient. Without it, the sender: the message comes back, and is deleted once it was read.
    #[arg(value_name = "ADDRESS", conflicts_with = "to")]
    pub recipient: Option<EmailAddress>,
    /// Which deployment.
    #[command(flatten)]
    pub which: Which,
    /// The same as ADDRESS.
    #[arg(long, value_name = "ADDRESS")]
    pub to: Option<EmailAddress>,
    /// The account that sends, with --password-file. Default: the first administrator.
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<EmailAddress>,
    /// File with the sender's password; `-` reads it from the input. Not needed for the first administrator.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// The subject.
    #[arg(long, value_name = "TEXT")]
    pub subject: Option<String>,
    /// The text.
    #[arg(long, value_name = "TEXT")]
    pub body: Option<String>,
    /// File with the text.
    #[arg(long, value_name = "FILE", conflicts_with = "body")]
    pub body_file: Option<PathBuf>,
    /// How long the message may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
    /// Leave the message in the mailbox.
    #[arg(long)]
    pub keep: bool,
    /// Do not try what the server must refuse: relaying for strangers, log-ins on port 25, a forged sender.
    #[arg(long)]
    pub no_negative: bool,
}

/// `mailu app`
#[derive(Debug, Subcommand)]
pub enum AppCommand {
    /// List the apps, and the formats in which each can be told.
    List,
    /// Print the settings of an app: where they go and what to restart is said beside them.
    Settings(Box<AppSettings>),
}

/// `mailu app settings`
#[derive(Debug, Args)]
pub struct AppSettings {
    /// The app, as `mailu app list` names it; any other one gets SMTP_… variables, if --format is one for variables.
    #[arg(value_name = "APP")]
    pub app: String,
    /// Which deployment.
    #[command(flatten)]
    pub which: Which,
    /// The account with which the app logs in.
    #[arg(long, value_name = "ADDRESS")]
    pub login: EmailAddress,
    /// File with the account's token or password; `-` reads it from the input. Without it, stars stand in its place.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Read the token or password from the input.
    #[arg(long, conflicts_with = "password_file")]
    pub password_stdin: bool,
    /// The address that mail comes from, if it is not the login: an alias that leads to it.
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<EmailAddress>,
    /// The name beside that address.
    #[arg(long, value_name = "NAME")]
    pub from_name: Option<String>,
    /// The envelope sender, if it is another one, for apps that can tell them apart.
    #[arg(long, value_name = "ADDRESS")]
    pub envelope_from: Option<EmailAddress>,
    /// What the app calls itself in EHLO: the name of its site.
    #[arg(long, value_name = "NAME")]
    pub helo: Option<DomainName>,
    /// How the connection is encrypted.
    #[arg(long, value_enum, default_value_t = AppTls::Implicit)]
    pub tls: AppTls,
    /// The app reads the account's mail, too.
    #[arg(long)]
    pub incoming: bool,
    /// The format. Default: the app's usual one.
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Put them into what FILE has already, and print all of it. The file itself is not changed.
    #[arg(long, value_name = "FILE")]
    pub into: Option<PathBuf>,
    /// Print the password.
    #[arg(long, conflicts_with = "out")]
    pub reveal: bool,
    /// Write them, with the password, into a new file that only its owner can read.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// How a connection for handing mail in is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AppTls {
    /// TLS from the first byte, port 465.
    Implicit,
    /// STARTTLS, port 587.
    Starttls,
}

/// `mailu restore`
#[derive(Debug, Args)]
pub struct Restore {
    /// The archive. Without it, a restore that was interrupted is finished.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Which deployment it has to be. Not needed: the archive says whose it is.
    #[command(flatten)]
    pub which: Which,
    /// File with the age key that opens an encrypted archive.
    #[arg(long, value_name = "FILE")]
    pub age_identity: Option<PathBuf>,
    /// File whose first line is the passphrase of an encrypted archive.
    #[arg(long, value_name = "FILE", conflicts_with = "age_identity")]
    pub passphrase_file: Option<PathBuf>,
    /// Restore configuration, secrets, keys and certificates; mail, accounts and other data stay as they are.
    #[arg(long, requires = "file")]
    pub config_only: bool,
    /// Restore one mailbox, beside the running server: messages that it does not have are added, and nothing else is changed.
    #[arg(long, value_name = "ADDRESS", requires = "file", conflicts_with_all = ["config_only", "exact", "no_start", "undo"])]
    pub mailbox: Option<EmailAddress>,
    /// With --mailbox: add its messages to this mailbox.
    #[arg(long, value_name = "ADDRESS", requires = "mailbox")]
    pub into: Option<EmailAddress>,
    /// Leave out mail that has arrived since the backup, and take its queue instead of the one that is there.
    #[arg(long, requires = "file", conflicts_with = "config_only")]
    pub exact: bool,
    /// Read the archive, and show what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// Leave the server stopped. Works without Docker.
    #[arg(long, requires = "file")]
    pub no_start: bool,
    /// Of a restore that was interrupted: go back to what was there before, instead of going on.
    #[arg(long)]
    pub undo: bool,
    /// How long each service may take to become ready. Without it, as long as is usual for each.
    #[arg(long, value_name = "SECONDS")]
    pub wait: Option<u64>,
}

/// `mailu update`
#[derive(Debug, Args)]
pub struct Update {
    /// Which deployment.
    #[command(flatten)]
    pub which: Which,
    /// The release to go to. Without it, the newest that this program knows.
    #[arg(long, value_name = "RELEASE")]
    pub to: Option<Version>,
    /// Only show what would be done, and what speaks against it.
    #[arg(long)]
    pub dry_run: bool,
    /// Of an update that was interrupted: go back to what was there before, instead of going on.
    #[arg(long, conflicts_with_all = ["to", "dry_run"])]
    pub undo: bool,
    /// Of a deployment that AgencyStack's old installer made: set a key of mailu.toml. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting, conflicts_with = "undo")]
    pub set: Vec<(String, String)>,
    /// Of such a deployment: leave out a check, such as preflight.open_relay. It is noted in the deployment. May be repeated.
    #[arg(
        long,
        value_name = "ID",
        env = "MAILU_SKIP_CHECK",
        value_delimiter = ','
    )]
    pub skip_check: Vec<String>,
    /// Update though accounts are in another database, which is not in the backup and does not go back with the rest.
    #[arg(long)]
    pub without_database: bool,
    /// How long each service may take to become ready. Without it, as long as is usual for each.
    #[arg(long, value_name = "SECONDS")]
    pub wait: Option<u64>,
}

/// `mailu integrate`. What is not said stays as it was chosen the last time.
#[derive(Debug, Args)]
pub struct Integrate {
    /// The app: wordpress, listmonk, ghost, chatwoot, gitea … (`mailu app list`), or generic.
    pub app: String,
    /// Which of several: the name of the WordPress or ERPNext site, the client whose Listmonk it is, or any name, such as that of an inbox.
    pub site: Option<String>,
    /// Which deployment.
    #[command(flatten)]
    pub which: Which,
    /// Who logs in. A mailbox that is not there is made. Default: the app's name at the email domain; for Listmonk `newsletter-bounce@…`.
    #[arg(long, value_name = "ADDRESS")]
    pub login: Option<EmailAddress>,
    /// What stands in `From:`. Default: the login; for Listmonk `news@…`, which leads to the administrator.
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<EmailAddress>,
    /// The name beside it.
    #[arg(long, value_name = "NAME")]
    pub from_name: Option<String>,
    /// How mail is handed in. Default: implicit.
    #[arg(long, value_enum)]
    pub tls: Option<AppTls>,
    /// The app reads the mailbox by IMAP, too.
    #[arg(long)]
    pub incoming: bool,
    /// WordPress: the site's directory. Other apps: the file that has their settings, and gets ours.
    #[arg(long, value_name = "PATH")]
    pub path: Option<PathBuf>,
    /// The form of the settings, where an app has several.
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// The container that runs the app, where it cannot be found: ERPNext's, or one that is told by a file or over its API. It is tried whether the
    /// server is reached from there.
    #[arg(long, value_name = "CONTAINER")]
    pub container: Option<String>,
    /// Restart this container when its settings have changed.
    #[arg(long, value_name = "CONTAINER")]
    pub restart: Option<String>,
    /// Authorities (PEM) that the app does not know by itself, where the certificate is from one of your own.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The address of its site, for its API. Listmonk: without it, its database is changed. Chatwoot: an inbox is connected.
    /// ERPNext: without it, the site's container does it.
    #[arg(long, value_name = "URL")]
    pub api_url: Option<String>,
    /// Listmonk: the API user. ERPNext: the API key, where the token is the API secret alone.
    #[arg(long, value_name = "NAME", requires = "api_url")]
    pub api_user: Option<String>,
    /// Chatwoot: the number of the account, as in /app/accounts/NUMBER.
    #[arg(long, value_name = "NUMBER", requires = "api_url")]
    pub api_account: Option<u64>,
    /// A file with the token (Chatwoot: an administrator's access token; ERPNext: KEY:SECRET); - reads the input.
    #[arg(long, value_name = "FILE")]
    pub api_token_file: Option<PathBuf>,
    /// Listmonk: switch its other servers off, which would get a share of the mail.
    #[arg(long)]
    pub only: bool,
    /// Listmonk: restart it though it is sending a campaign, which goes on by itself then.
    #[arg(long)]
    pub interrupt: bool,
    /// Mailu's limit of messages (`limits.messages`) does not count for the login, so that a newsletter reaches everybody; `--exempt=false` takes
    /// that back.
    #[arg(
        long,
        value_name = "true|false",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub exempt: Option<bool>,
    /// Make a new token; the old one goes once the app works with the new.
    #[arg(long, conflicts_with = "remove")]
    pub rotate: bool,
    /// Take everything back: the app's settings, its token, the record. Its mailbox stays.
    #[arg(long)]
    pub remove: bool,
    /// Only say what would be done.
    #[arg(long)]
    pub dry_run: bool,
}

/// `mailu config`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check a mailu.toml, and print everything that is wrong with it.
    Check {
        /// The file. Without it, the deployment's.
        file: Option<PathBuf>,
        /// Which deployment.
        #[command(flatten)]
        which: Which,
    },
    /// Print every key with its default and meaning; with --json, the JSON Schema.
    Schema,
    /// Print the value of a key, or all of them.
    Get {
        /// The key: `limits.quota`.
        key: Option<String>,
        /// Which deployment.
        #[command(flatten)]
        which: Which,
    },
    /// Set keys of mailu.toml. `mailu apply` does the rest.
    Set {
        /// KEY VALUE, or KEY=VALUE several times.
        #[arg(required = true, num_args = 1..)]
        settings: Vec<String>,
        /// Which deployment.
        #[command(flatten)]
        which: Which,
    },
    /// Remove keys from mailu.toml, so that their defaults count.
    Unset {
        /// The keys.
        #[arg(required = true)]
        keys: Vec<String>,
        /// Which deployment.
        #[command(flatten)]
        which: Which,
    },
}
