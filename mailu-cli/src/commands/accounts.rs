//! `mailu domain`, `user`, `alias`, `token`, `relay` and `accounts`

use std::path::Path;

use mailu_core::accounts::{self, Accounts, Kind, Prune, Wanted};
use mailu_core::host::api::{
    AllAccounts, Exported, NewPassword, TokenDeleted, TokenMade, UserChanged, unconfirmed,
};
use mailu_core::host::{
    AccountChange, AccountsOptions, Change, ChangeOptions, Departure, Mailu, keep_secret,
};
use mailu_core::names::EmailAddress;
use mailu_core::paths::Layout;
use mailu_core::{Error, ErrorKind};
use serde::Serialize;

use super::install::secret;
use super::{chosen, read};
use crate::args::{
    AccountsCommand, AliasCommand, Deleting, DomainCommand, Global, PasswordSource, RelayCommand,
    Said, Switching, TokenCommand, UserCommand, WantedAccounts, Which,
};
use crate::output::{Printer, Steps, is_interactive};

pub(crate) fn domain(
    global: &Global,
    printer: &mut Printer,
    command: DomainCommand,
) -> Result<u8, Error> {
    let kind = Kind::Domain;
    match command {
        DomainCommand::List(which) => list(global, printer, &which, Mailu::domains),
        DomainCommand::Show { name, which } => {
            let (mailu, layout) = chosen(global, &which)?;
            let found = mailu.domain(&layout, &name)?;
            show(printer, kind, name.as_str(), found)
        }
        DomainCommand::Add { name, said } => {
            put(global, printer, kind, name.as_str(), &said, Change::Add)
        }
        DomainCommand::Set { name, said } => {
            put(global, printer, kind, name.as_str(), &said, Change::Set)
        }
        DomainCommand::Delete { name, how } => delete(global, printer, kind, name.as_str(), &how),
    }
}

pub(crate) fn relay(
    global: &Global,
    printer: &mut Printer,
    command: RelayCommand,
) -> Result<u8, Error> {
    let kind = Kind::Relay;
    match command {
        RelayCommand::List(which) => list(global, printer, &which, Mailu::relays),
        RelayCommand::Show { name, which } => {
            let (mailu, layout) = chosen(global, &which)?;
            let found = mailu.relay(&layout, &name)?;
            show(printer, kind, name.as_str(), found)
        }
        RelayCommand::Add { name, said } => {
            put(global, printer, kind, name.as_str(), &said, Change::Add)
        }
        RelayCommand::Set { name, said } => {
            put(global, printer, kind, name.as_str(), &said, Change::Set)
        }
        RelayCommand::Delete { name, how } => delete(global, printer, kind, name.as_str(), &how),
    }
}

pub(crate) fn alias(
    global: &Global,
    printer: &mut Printer,
    command: AliasCommand,
) -> Result<u8, Error> {
    let kind = Kind::Alias;
    match command {
        AliasCommand::List(which) => list(global, printer, &which, Mailu::aliases),
        AliasCommand::Show { email, which } => {
            let (mailu, layout) = chosen(global, &which)?;
            let found = mailu.alias(&layout, &email)?;
            show(printer, kind, &email.to_string(), found)
        }
        AliasCommand::Add { email, said } => put(
            global,
            printer,
            kind,
            &email.to_string(),
            &said,
            Change::Add,
        ),
        AliasCommand::Set { email, said } => put(
            global,
            printer,
            kind,
            &email.to_string(),
            &said,
            Change::Set,
        ),
        AliasCommand::Delete { email, how } => {
            delete(global, printer, kind, &email.to_string(), &how)
        }
    }
}

pub(crate) fn user(
    global: &Global,
    printer: &mut Printer,
    command: UserCommand,
) -> Result<u8, Error> {
    let kind = Kind::User;
    match command {
        UserCommand::List(which) => list(global, printer, &which, Mailu::users),
        UserCommand::Show { email, which } => {
            let (mailu, layout) = chosen(global, &which)?;
            let found = mailu.user(&layout, &email)?;
            show(printer, kind, &email.to_string(), found)
        }
        UserCommand::Add {
            email,
            said,
            password,
            no_password,
        } => add_user(global, printer, &email, &said, &password, no_password),
        UserCommand::Set { email, said } => put(
            global,
            printer,
            kind,
            &email.to_string(),
            &said,
            Change::Set,
        ),
        UserCommand::Passwd {
            email,
            which,
            password,
        } => passwd(global, printer, &email, &which, &password),
        UserCommand::Enable { email, how } => switch(global, printer, &email, how, true),
        UserCommand::Disable { email, how } => switch(global, printer, &email, how, false),
        UserCommand::Delete { email, how } => {
            delete(global, printer, kind, &email.to_string(), &how)
        }
    }
}

pub(crate) fn token(
    global: &Global,
    printer: &mut Printer,
    command: TokenCommand,
) -> Result<u8, Error> {
    match command {
        TokenCommand::List { email, which } => list(global, printer, &which, |mailu, layout| {
            mailu.tokens(layout, email.as_ref())
        }),
        TokenCommand::Add {
            email,
            comment,
            from,
            replace,
            out,
            which,
        } => {
            let (mailu, layout) = chosen(global, &which)?;
            let from: Vec<_> = from.into_iter().map(|network| network.0).collect();
            let made = mailu.add_token(&layout, &email, &comment, &from, replace, out.as_deref());
            let said = made.as_ref().map(|_| "done");
            crate::log::note(global, &layout, &format!("token add {email}"), said);
            let made = made?;
            print_token(printer, &made)
        }
        TokenCommand::Delete { id, which } => {
            let (mailu, layout) = chosen(global, &which)?;
            let done = mailu.delete_token(&layout, id);
            let said = done.as_ref().map(|_| "done");
            crate::log::note(global, &layout, &format!("token delete {id}"), said);
            let was_there = done?;
            if printer.json {
                printer.data(&TokenDeleted::new(id, was_there))?;
            } else if was_there {
                printer.line(format_args!("token {id}: deleted"));
            } else {
                printer.line(format_args!("token {id}: there is none"));
            }
            Ok(crate::FINE)
        }
    }
}

fn print_token(printer: &mut Printer, made: &TokenMade) -> Result<u8, Error> {
    if printer.json {
        printer.data(made)?;
        return Ok(crate::FINE);
    }
    let (id, email) = (made.about.id, &made.about.email);
    if let Some(path) = &made.file {
        printer.note(format_args!(
            "token {id} of {email} is in {}",
            path.display()
        ));
    }
    if let Some(token) = &made.token {
        printer.note(format_args!(
            "token {id} of {email}; nobody can say it again:"
        ));
        printer.line(token.as_str());
    }
    Ok(crate::FINE)
}

/// Prints all of a kind.
fn list<T: Serialize>(
    global: &Global,
    printer: &mut Printer,
    which: &Which,
    look: impl FnOnce(&Mailu, &Layout) -> Result<Vec<T>, Error>,
) -> Result<u8, Error> {
    let (mailu, layout) = chosen(global, which)?;
    let all = look(&mailu, &layout)?;
    if printer.json {
        printer.data(&all)?;
    } else {
        printer.accounts(&all);
    }
    Ok(crate::FINE)
}

fn show<T: Serialize>(
    printer: &mut Printer,
    kind: Kind,
    name: &str,
    found: Option<T>,
) -> Result<u8, Error> {
    let Some(found) = found else {
        return Err(Error::new(
            ErrorKind::NotFound,
            "accounts.not_found",
            format!("show the {kind} {name}: there is no such {kind}"),
        )
        .hint(format!("`mailu {kind} list` shows those there are")));
    };
    if printer.json {
        printer.data(&found)?;
    } else {
        printer.account(&found);
    }
    Ok(crate::FINE)
}

fn put(
    global: &Global,
    printer: &mut Printer,
    kind: Kind,
    name: &str,
    said: &Said,
    change: Change,
) -> Result<u8, Error> {
    let settings = accounts::read_settings(kind, name, &said.settings)?;
    let (mailu, layout) = chosen(global, &said.which)?;
    let options = ChangeOptions::new(change, said.dry_run);
    let done = mailu.put(&layout, kind, name, &settings, None, options);
    let verb = if change == Change::Add { "add" } else { "set" };
    noted(
        global,
        &layout,
        kind,
        verb,
        name,
        said.dry_run,
        done.as_ref(),
    );
    changed(printer, &done?)
}

fn switch(
    global: &Global,
    printer: &mut Printer,
    email: &EmailAddress,
    how: Switching,
    on: bool,
) -> Result<u8, Error> {
    let said = Said {
        settings: vec![format!("enabled={on}")],
        which: how.which,
        dry_run: how.dry_run,
    };
    put(
        global,
        printer,
        Kind::User,
        &email.to_string(),
        &said,
        Change::Set,
    )
}

/// The password that was given, or is drawn; nothing if no way to it was named.
fn given(source: &PasswordSource, whose: &str) -> Result<Option<NewPassword>, Error> {
    if source.generate {
        return Ok(Some(NewPassword::Drawn(source.password_out.clone())));
    }
    let file = if source.password_stdin {
        Some(Path::new("-"))
    } else {
        source.password_file.as_deref()
    };
    Ok(secret(None, file, whose)?.map(NewPassword::Given))
}

fn add_user(
    global: &Global,
    printer: &mut Printer,
    email: &EmailAddress,
    said: &Said,
    source: &PasswordSource,
    no_password: bool,
) -> Result<u8, Error> {
    let name = email.to_string();
    let settings = accounts::read_settings(Kind::User, &name, &said.settings)?;
    let password = given(source, "user's password")?;
    if password.is_none() && !no_password {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "accounts.no_password",
            format!("make the user {email}: it needs a password"),
        )
        .hint("`--generate` draws one and prints it; `--password-stdin` and `--password-file FILE` read one")
        .hint("`--no-password` gives it one that nobody knows, for programs that log in with tokens"));
    }
    let (mailu, layout) = chosen(global, &said.which)?;
    let done = mailu.add_user(&layout, email, &settings, password.as_ref(), said.dry_run);
    let change = done.as_ref().map(|done| &done.change);
    let dry_run = said.dry_run;
    noted(global, &layout, Kind::User, "add", &name, dry_run, change);
    user_changed(printer, &done?)
}

fn passwd(
    global: &Global,
    printer: &mut Printer,
    email: &EmailAddress,
    which: &Which,
    source: &PasswordSource,
) -> Result<u8, Error> {
    let Some(password) = given(source, "user's password")? else {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "accounts.no_password",
            format!("set the password of {email}: none was given"),
        )
        .hint("`--generate` draws one and prints it; `--password-stdin` and `--password-file FILE` read one"));
    };
    let (mailu, layout) = chosen(global, which)?;
    let done = mailu.change_password(&layout, email, &password);
    let change = done.as_ref().map(|done| &done.change);
    let name = email.to_string();
    noted(global, &layout, Kind::User, "passwd", &name, false, change);
    user_changed(printer, &done?)
}

fn noted(
    global: &Global,
    layout: &Layout,
    kind: Kind,
    verb: &str,
    name: &str,
    dry_run: bool,
    done: Result<&AccountChange, &Error>,
) {
    if !dry_run {
        let said = done.map(|done| {
            if done.performed {
                "done"
            } else {
                "nothing to do"
            }
        });
        crate::log::note(global, layout, &format!("{kind} {verb} {name}"), said);
    }
}

fn changed(printer: &mut Printer, done: &AccountChange) -> Result<u8, Error> {
    if printer.json {
        printer.data(done)?;
    } else {
        printer.account_change(done);
    }
    Ok(crate::FINE)
}

fn user_changed(printer: &mut Printer, done: &UserChanged) -> Result<u8, Error> {
    if printer.json {
        printer.data(done)?;
        return Ok(crate::FINE);
    }
    printer.account_change(&done.change);
    if let Some(path) = &done.password_file {
        printer.note(format_args!("its password is in {}", path.display()));
    }
    if let Some(password) = &done.drawn_password {
        printer.note("its password, which is printed this once:");
        printer.line(password.as_str());
    }
    Ok(crate::FINE)
}

fn delete(
    global: &Global,
    printer: &mut Printer,
    kind: Kind,
    name: &str,
    how: &Deleting,
) -> Result<u8, Error> {
    let (mailu, layout) = chosen(global, &how.which)?;
    if !how.dry_run {
        let departure = mailu.departure(&layout, kind, name)?;
        confirm(kind, name, &departure, how.yes)?;
    }
    let done = mailu.delete_account(&layout, kind, name, how.dry_run);
    noted(
        global,
        &layout,
        kind,
        "delete",
        name,
        how.dry_run,
        done.as_ref(),
    );
    changed(printer, &done?)
}

/// Nobody loses access to mail without having been told.
fn confirm(kind: Kind, name: &str, departure: &Departure, yes: bool) -> Result<(), Error> {
    let notes = departure.notes();
    if yes || notes.is_empty() {
        return Ok(());
    }
    agree(&format!("delete the {kind} {name}"), &notes)
}

/// Asks, where there is somebody to be asked.
fn agree(what: &str, notes: &[String]) -> Result<(), Error> {
    let refused = |why: &str| unconfirmed(what, why, notes);
    if !is_interactive() {
        return Err(refused("it was not confirmed"));
    }
    for note in notes {
        anstream::eprintln!("{note}");
    }
    let agreed = dialoguer::Confirm::new()
        .with_prompt(format!("{what}?"))
        .default(false)
        .interact()
        .map_err(|error| refused("the answer cannot be read").source(error))?;
    if agreed {
        Ok(())
    } else {
        Err(refused("the answer was no"))
    }
}

pub(crate) fn many(
    global: &Global,
    printer: &mut Printer,
    command: AccountsCommand,
) -> Result<u8, Error> {
    match command {
        AccountsCommand::Plan { wanted, which } => {
            apply(global, printer, &wanted, &which, true, false)
        }
        AccountsCommand::Apply {
            wanted,
            dry_run,
            yes,
            which,
        } => apply(global, printer, &wanted, &which, dry_run, yes),
        AccountsCommand::Export {
            csv,
            hashes,
            out,
            which,
        } => {
            let (mailu, layout) = chosen(global, &which)?;
            let there = mailu.accounts(&layout)?;
            export(printer, &there, csv, hashes, out.as_deref())
        }
        AccountsCommand::Schema => schema(printer),
    }
}

fn apply(
    global: &Global,
    printer: &mut Printer,
    args: &WantedAccounts,
    which: &Which,
    dry_run: bool,
    yes: bool,
) -> Result<u8, Error> {
    let text = if args.file == Path::new("-") {
        std::io::read_to_string(std::io::stdin()).map_err(|error| {
            Error::new(ErrorKind::Io, "file.failed", "read accounts from the input").source(error)
        })?
    } else {
        read(&args.file)?
    };
    let table = args.csv
        || args
            .file
            .extension()
            .is_some_and(|name| name.eq_ignore_ascii_case("csv"));
    let wanted = if table {
        Wanted::from_csv(&text)
    } else {
        Wanted::from_toml(&text)
    };
    let wanted = wanted.map_err(|error| error.about(args.file.display()))?;
    let mut options = AccountsOptions::default();
    options.prune = match (args.prune, args.delete_users) {
        (false, _) => Prune::No,
        (true, false) => Prune::Disable,
        (true, true) => Prune::Delete,
    };
    options.reset_passwords = args.reset_passwords;
    options.passwords_out.clone_from(&args.passwords_out);
    let (mailu, layout) = chosen(global, which)?;
    let mut steps = Steps::new(printer, None);
    steps.stops_when_interrupted();
    if dry_run || (options.prune != Prune::No && !yes) {
        let planned = mailu.plan_accounts(&layout, &wanted, &options, &mut steps)?;
        if dry_run {
            return printer.accounts_applied(&planned, true);
        }
        let going = planned.plan.departures();
        if !going.is_empty() {
            agree("apply the file", &going)?;
        }
    }
    let result = mailu.apply_accounts(&layout, &wanted, &options, &mut steps);
    let said = result.as_ref().map(|done| {
        if done.performed {
            "done"
        } else {
            "nothing to do"
        }
    });
    crate::log::note(global, &layout, "accounts apply", said);
    printer.accounts_applied(&result?, false)
}

fn export(
    printer: &mut Printer,
    there: &Accounts,
    csv: bool,
    hashes: bool,
    out: Option<&Path>,
) -> Result<u8, Error> {
    for name in there.foreign() {
        printer.note(format_args!(
            "left out: {name}, whose name is none by the rules for new ones"
        ));
    }
    if printer.json && out.is_none() {
        printer.data(&AllAccounts::from(there))?;
        return Ok(crate::FINE);
    }
    let text = if csv {
        there.to_csv(hashes)?
    } else {
        there.to_toml(hashes)
    };
    match out {
        Some(path) => {
            keep_secret(path, &text)?;
            if printer.json {
                printer.data(&Exported::in_file(path))?;
            } else {
                printer.line(path.display());
            }
        }
        None => printer.raw(&text),
    }
    Ok(crate::FINE)
}

fn schema(printer: &mut Printer) -> Result<u8, Error> {
    if printer.json {
        printer.data(&accounts::schema())?;
        return Ok(crate::FINE);
    }
    for kind in Kind::ALL {
        let fields = accounts::fields(kind);
        printer.line(format_args!("[[{kind}]]"));
        printer.line(format_args!("{} = \"…\"", kind.key()));
        if kind == Kind::User {
            printer
                .line("# The hash of its password, if it is made: bcrypt, SHA-512 crypt, PBKDF2 …");
            printer.line("password_hash = \"$2b$…\"");
        }
        for field in fields {
            printer.line(format_args!("# {}", field.doc));
            printer.line(format_args!("{} = {}", field.typed, field.example()));
        }
        printer.line("");
    }
    Ok(crate::FINE)
}
