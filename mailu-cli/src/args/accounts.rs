//! `mailu domain`, `user`, `alias`, `token`, `relay` and `accounts`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use mailu_core::accounts::{Network, network};
use mailu_core::names::{EmailAddress, EmailDomain};

use super::Which;

/// What is said of an account.
#[derive(Debug, Clone, Default, Args)]
pub struct Said {
    /// KEY=VALUE, several times: `quota=5GB`. `mailu accounts schema` lists every key.
    #[arg(value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Which deployment.
    #[command(flatten)]
    pub which: Which,
    /// Show what would be done.
    #[arg(long)]
    pub dry_run: bool,
}

/// How something is deleted.
#[derive(Debug, Clone, Default, Args)]
pub struct Deleting {
    /// Which deployment.
    #[command(flatten)]
    pub which: Which,
    /// Do not ask, whatever goes with it. Mail is never deleted.
    #[arg(long, short)]
    pub yes: bool,
    /// Show what would be done.
    #[arg(long)]
    pub dry_run: bool,
}

/// `mailu domain …`
#[derive(Debug, Subcommand)]
pub enum DomainCommand {
    /// List the email domains.
    List(Which),
    /// Show one.
    Show {
        /// The domain.
        name: EmailDomain,
        /// Which deployment.
        #[command(flatten)]
        which: Which,
    },
    /// Make one. It gets mail once its DNS records are published: `email_domains` in mailu.toml names them.
    Add {
        /// The domain.
        name: EmailDomain,
        /// What is said of it.
        #[command(flatten)]
        said: Said,
    },
    /// Change one.
    Set {
        /// The domain.
        name: EmailDomain,
        /// What is said of it.
        #[command(flatten)]
        said: Said,
    },
    /// Delete one, with its users and aliases. Their mail stays on disk.
    Delete {
        /// The domain.
        name: EmailDomain,
        /// How.
        #[command(flatten)]
        how: Deleting,
    },
}

/// `mailu relay …`
#[derive(Debug, Subcommand)]
pub enum RelayCommand {
    /// List the domains whose mail is handed on to another server.
    List(Which),
    /// Show one.
    Show {
        /// The domain.
        name: EmailDomain,
        /// Which deployment.
        #[command(flatten)]
        which: Which,
    },
    /// Make one: `smtp=mx.example.net:25` says where its mail goes.
    Add {
        /// The domain.
        name: EmailDomain,
        /// What is said of it.
        #[command(flatten)]
        said: Said,
    },
    /// Change one.
    Set {
        /// The domain.
        name: EmailDomain,
        /// What is said of it.
        #[command(flatten)]
        said: Said,
    },
    /// Delete one.
    Delete {
        /// The domain.
        name: EmailDomain,
        /// How.
        #[command(flatten)]
        how: Deleting,
    },
}

/// Where a password comes from. It is never an argument: everybody on the host can read those.
#[derive(Debug, Clone, Default, Args)]
#[command(group = ArgGroup::new("source").args(["password_stdin", "password_file", "generate"]))]
pub struct PasswordSource {
    /// Read it from the input.
    #[arg(long)]
    pub password_stdin: bool,
    /// Read it from a file; its first line counts.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Draw it, and print it once.
    #[arg(long)]
    pub generate: bool,
    /// With --generate: write it into this file, which only its owner can read, instead of printing it.
    #[arg(long, value_name = "FILE", requires = "generate")]
    pub password_out: Option<PathBuf>,
}

/// `mailu user …`
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// List the users.
    List(Which),
    /// Show one.
    Show {
        /// The address.
        email: EmailAddress,
        /// Which deployment.
        #[command(flatten)]
        which: Which,
    },
    /// Make one.
    Add {
        /// The address.
        email: EmailAddress,
        /// What is said of it.
        #[command(flatten)]
        said: Said,
        /// Its password.
        #[command(flatten)]
        password: PasswordSource,
        /// Give it one that nobody knows: tokens, or `mailu user passwd`, let it in.
        #[arg(long, conflicts_with = "source")]
        no_password: bool,
    },
    /// Change one.
    Set {
        /// The address.
        email: EmailAddress,
        /// What is said of it.
        #[command(flatten)]
        said: Said,
    },
    /// Give one another password.
    Passwd {
        /// The address.
        email: EmailAddress,
        /// Which deployment.
        #[command(flatten)]
        which: Which,
        /// Its password.
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Let one in again.
    Enable {
        /// The address.
        email: EmailAddress,
        /// How.
        #[command(flatten)]
        how: Switching,
    },
    /// Let one in no more, anywhere. Mail still arrives.
    Disable {
        /// The address.
        email: EmailAddress,
        /// How.
        #[command(flatten)]
        how: Switching,
    },
    /// Delete one, with its tokens. Its mail stays on disk.
    Delete {
        /// The address.
        email: EmailAddress,
        /// How.
        #[command(flatten)]
        how: Deleting,
    },
}

/// How somebody is let in or not.
#[derive(Debug, Clone, Default, Args)]
pub struct Switching {
    /// Which deployment.
    #[command(flatten)]
    pub which: Which,
    /// Show what would be done.
    #[arg(long)]
    pub dry_run: bool,
}

/// `mailu alias …`
#[derive(Debug, Subcommand)]
pub enum AliasCommand {
    /// List the aliases.
    List(Which),
    /// Show one.
    Show {
        /// The address.
        email: EmailAddress,
        /// Which deployment.
        #[command(flatten)]
        which: Which,
    },
    /// Make one: `to=anna@example.com,bea@example.com` says where its mail goes.
    Add {
        /// The address. With `wildcard=yes`, `%` in it stands for any characters.
        email: EmailAddress,
        /// What is said of it.
        #[command(flatten)]
        said: Said,
    },
    /// Change one.
    Set {
        /// The address.
        email: EmailAddress,
        /// What is said of it.
        #[command(flatten)]
        said: Said,
    },
    /// Delete one.
    Delete {
        /// The address.
        email: EmailAddress,
        /// How.
        #[command(flatten)]
        how: Deleting,
    },
}

/// `mailu token …`
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// List tokens. What they are, nobody can say again.
    List {
        /// Only those of this user.
        email: Option<EmailAddress>,
        /// Which deployment.
        #[command(flatten)]
        which: Which,
    },
    /// Have one drawn for a user, and print it once. It is a password for SMTP, IMAP and POP3.
    Add {
        /// The user.
        email: EmailAddress,
        /// What it is for.
        #[arg(long, value_name = "TEXT", default_value = "")]
        comment: String,
        /// Only for who comes from this address or network. May be repeated.
        #[arg(long, value_name = "NETWORK")]
        from: Vec<NetworkArg>,
        /// Delete those of the same comment once the new one is there.
        #[arg(long, requires = "comment")]
        replace: bool,
        /// Write it into this file, which only its owner can read, instead of printing it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Which deployment.
        #[command(flatten)]
        which: Which,
    },
    /// Delete one. Whoever uses it is refused from then on.
    Delete {
        /// Its number.
        id: u64,
        /// Which deployment.
        #[command(flatten)]
        which: Which,
    },
}

/// A network, or an address.
#[derive(Debug, Clone, Copy)]
pub struct NetworkArg(pub Network);

impl std::str::FromStr for NetworkArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        network(text)
            .map(Self)
            .ok_or_else(|| "must be an address or a network, such as 192.0.2.0/24".to_owned())
    }
}

/// `mailu accounts …`
#[derive(Debug, Subcommand)]
pub enum AccountsCommand {
    /// Compare a file with what is there, and show what `apply` would do.
    Plan {
        /// What is wanted.
        #[command(flatten)]
        wanted: WantedAccounts,
        /// Which deployment.
        #[command(flatten)]
        which: Which,
    },
    /// Bring the accounts to what a file says: all of it, or nothing.
    Apply {
        /// What is wanted.
        #[command(flatten)]
        wanted: WantedAccounts,
        /// Show what would be done.
        #[arg(long)]
        dry_run: bool,
        /// Do not ask before users or domains are deleted.
        #[arg(long, short)]
        yes: bool,
        /// Which deployment.
        #[command(flatten)]
        which: Which,
    },
    /// Write down what is there, as an accounts.toml.
    Export {
        /// The users alone, as a table.
        #[arg(long)]
        csv: bool,
        /// With the hashes of passwords, for another server. Whoever has them can find weak passwords.
        #[arg(long)]
        hashes: bool,
        /// Into this file, which only its owner can read.
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Which deployment.
        #[command(flatten)]
        which: Which,
    },
    /// Print every key, with its meaning.
    Schema,
}

/// Accounts that are to be there.
#[derive(Debug, Clone, Args)]
pub struct WantedAccounts {
    /// An accounts.toml; or a table of users, if its name ends with .csv. `-` reads an accounts.toml from the input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// It is a table of users, whatever its name.
    #[arg(long)]
    pub csv: bool,
    /// In the sections of the file: disable users that it does not name, and delete such aliases and relayed domains.
    #[arg(long, conflicts_with = "csv")]
    pub prune: bool,
    /// With --prune: delete such users, and domains without any address left. Their mail stays on disk.
    #[arg(long, requires = "prune")]
    pub delete_users: bool,
    /// Set the passwords of users that exist, too. Otherwise they are for new users alone.
    #[arg(long)]
    pub reset_passwords: bool,
    /// Draw passwords for new users without one, and write them into this file, which only its owner can read.
    #[arg(long, value_name = "FILE")]
    pub passwords_out: Option<PathBuf>,
}
