//! `ERPNext` and whatever else runs on Frappe: a document of type Email Account in the site's database.

pub mod rest;

use super::registry::{App, Form, Merge, Starttls};
use super::value::{Map, Value};
use super::{Incoming, Profile, Tls, quote};
use crate::engine::{Container, State};
use crate::error::{Error, ErrorKind};

/// Where bench lies in the images of Frappe and of `AgencyStack`.
pub const BENCH: &str = "/home/frappe/frappe-bench";

/// The container that runs the site `site` of a client: `CLIENT_erpnext`, `erpnext_SITE` with underscores for dots, the name of
/// `AgencyStack`'s older installer, or the only one whose image is Frappe's and whose name says backend.
///
/// # Errors
///
/// [`ErrorKind::NotFound`], `erpnext.no_container`.
pub fn backend<'a>(
    containers: &'a [Container],
    client: &str,
    site: &str,
) -> Result<&'a Container, Error> {
    let running: Vec<&Container> = containers
        .iter()
        .filter(|one| one.state == State::Running)
        .collect();
    let underscored = site.replace('.', "_");
    let names = [
        format!("{client}_erpnext_{underscored}"),
        format!("erpnext_{underscored}"),
        format!("{client}_erpnext"),
        "agency_stack_erpnext_backend".to_owned(),
    ];
    let named = names
        .iter()
        .find_map(|name| running.iter().find(|one| one.name == *name));
    if let Some(found) = named {
        return Ok(found);
    }
    let likely: Vec<&&Container> = running
        .iter()
        .filter(|one| {
            let is_frappe = one.image.contains("erpnext") || one.image.contains("frappe");
            is_frappe && (one.service.as_deref() == Some("backend") || one.name.contains("backend"))
        })
        .collect();
    if let [one] = likely[..] {
        return Ok(one);
    }
    let error = Error::new(
        ErrorKind::NotFound,
        "erpnext.no_container",
        format!(
            "find the ERPNext site {site}: no container is called {}",
            names[1]
        ),
    )
    .hint("name it: `--container NAME`");
    Err(if likely.is_empty() {
        error.hint("`docker ps` lists the containers of this host")
    } else {
        let all: Vec<&str> = likely.iter().map(|one| one.name.as_str()).collect();
        error.hint(format!("there are: {}", all.join(", ")))
    })
}

pub(super) const APP: App = App {
    name: "erpnext",
    title: "ERPNext",
    aliases: &["frappe", "erp-next"],
    starttls: Starttls::Unverified,
    notes: &[
        "Frappe does not look at the server's certificate, in either way of TLS, unless it is new: let it reach the server on the same host",
        "Frappe logs in when the document is saved, and refuses to save what does not work",
        "there is one default account for what is sent: saving this one takes the mark from the others",
        "send with `account` or `python`; `site-config` only works where no Email Account is the default",
        "with port 465, `site-config` needs a Frappe that knows `use_ssl` (version 14 and later)",
    ],
    forms: &[
        Form {
            name: "account",
            about: "POST to /api/resource/Email Account, or PUT to /api/resource/Email Account/Mailu Outgoing",
            write: |profile| Ok(account(profile).json()),
            merge: Merge::None,
        },
        Form {
            name: "domain",
            about: "POST to /api/resource/Email Domain, by which further accounts of the domain find the servers; Frappe connects to both",
            write: |profile| Ok(domain(profile).json()),
            merge: Merge::None,
        },
        Form {
            name: "site-config",
            about: "sites/SITE/site_config.json",
            write: |profile| Ok(site_config(profile).json()),
            merge: Merge::Json,
        },
        Form {
            name: "python",
            about: "the input of: docker exec -i -w /home/frappe/frappe-bench BACKEND env/bin/python - SITE",
            write: script,
            merge: Merge::None,
        },
    ],
    environment: None,
    by_port: false,
    usual: "account",
};

/// The name of the document, by which it is found again.
const NAME: &str = "Mailu Outgoing";

fn flag(on: bool) -> Value {
    Value::Whole(on.into())
}

/// The servers, as both documents have them.
fn servers(profile: &Profile, incoming: Option<Incoming>, document: &mut Map) {
    document.put("smtp_server", profile.host.to_string());
    document.put("smtp_port", profile.port.to_string());
    // Both together would have STARTTLS tried inside of TLS.
    document.put("use_ssl_for_outgoing", flag(profile.tls == Tls::Implicit));
    document.put("use_tls", flag(profile.tls == Tls::Starttls));
    if let Some(incoming) = incoming {
        document.put("use_imap", flag(true));
        document.put("email_server", profile.host.to_string());
        document.put("incoming_port", incoming.port.to_string());
        document.put("use_ssl", flag(true));
        document.put("use_starttls", flag(false));
        document.put("validate_ssl_certificate", flag(true));
    }
}

/// The Email Account.
fn account(profile: &Profile) -> Map {
    let mut document = Map::default();
    document.put("email_account_name", NAME);
    document.put("email_id", profile.from.to_string());
    let different = profile.from != profile.login;
    document.put("login_id_is_different", flag(different));
    document.put_some("login_id", different.then(|| profile.login.to_string()));
    document.put("auth_method", "Basic");
    document.put("password", profile.secret.expose());
    document.put("awaiting_password", flag(false));
    document.put("ascii_encode_password", flag(false));
    // A service would bring servers of its own.
    document.put("service", "");
    document.put("enable_outgoing", flag(true));
    document.put("default_outgoing", flag(true));
    document.put("no_smtp_authentication", flag(false));
    // Else the user's own address would stand there, which Mailu refuses.
    document.put("always_use_account_email_id_as_sender", flag(true));
    servers(profile, profile.incoming, &mut document);
    // Nothing about reading, if the app is not to read: somebody may have set that up.
    if profile.incoming.is_some() {
        document.put("enable_incoming", flag(true));
        document.put("email_sync_option", "UNSEEN");
        document.put("initial_sync_count", "100");
        let inbox = Map::from([
            ("folder_name", "INBOX".into()),
            ("append_to", "Communication".into()),
        ]);
        document.put("imap_folder", Value::List(vec![inbox.into()]));
    }
    document
}

/// The Email Domain. It has to have a server for reading, whether an account reads or not.
fn domain(profile: &Profile) -> Map {
    let mut document = Map::default();
    document.put("domain_name", profile.from.domain().to_string());
    let incoming = profile.incoming.unwrap_or_default();
    servers(profile, Some(incoming), &mut document);
    document
}

/// The keys of `site_config.json`.
fn site_config(profile: &Profile) -> Map {
    let mut keys = Map::default();
    keys.put("mail_server", profile.host.to_string());
    keys.put("mail_port", profile.port);
    // Taken as set wherever there is a login and the key is missing.
    keys.put("use_tls", flag(profile.tls == Tls::Starttls));
    keys.put("use_ssl", flag(profile.tls == Tls::Implicit));
    keys.put("mail_login", profile.login.to_string());
    keys.put("mail_password", profile.secret.expose());
    keys.put("auto_email_id", profile.from.to_string());
    keys.put_some("email_sender_name", profile.from_name.as_deref());
    keys.put("always_use_account_email_id_as_sender", flag(true));
    keys
}

/// Python that finds the account and the domain, changes what differs, and says so. Its first argument is the site; the secret comes with the
/// program, by the input. Without `with_domain`, nothing is done about the Email Domain: Frappe connects to its server for reading.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`] where the profile breaks a rule.
pub fn program(profile: &Profile, with_domain: bool) -> Result<String, Error> {
    APP.check(profile)?;
    let json = |document: &Map| serde_json::to_string(document).unwrap_or_default();
    let domain = if with_domain {
        format!("json.loads({})", quote::python(&json(&domain(profile))))
    } else {
        "None".to_owned()
    };
    Ok(format!(
        "import json, os, sys\n\nFIELDS = json.loads({})\nDOMAIN = {domain}\n{PROGRAM}",
        quote::python(&json(&account(profile)))
    ))
}

fn script(profile: &Profile) -> Result<String, Error> {
    program(profile, true)
}

const PROGRAM: &str = r#"NAME = FIELDS["email_account_name"]
# SITE [look | set] [ours] | SITE send TO SUBJECT | SITE off ACCOUNT [DOMAIN [DEFAULT]]. Without a word, the account is made or changed.
# With `ours`, an Email Domain that is there is ours, and changed, too. DEFAULT is the account that was the default before ours.
MODE = sys.argv[2] if len(sys.argv) > 2 else "set"
OURS = "ours" in sys.argv[3:]

# Frappe looks for its logs from there.
if os.path.isdir("sites"):
    os.chdir("sites")
import frappe


def differing(document, fields):
    """The fields in which a document is not as it should be, of those that this Frappe knows."""
    known = {field.fieldname for field in document.meta.fields}
    found = []
    for field, wanted in fields.items():
        if field not in known or field in ("email_account_name", "domain_name"):
            continue
        if field == "password":
            there = document.get_password(raise_exception=False) if document.name else None
        elif isinstance(wanted, list):
            there = [{key: row.get(key) for key in wanted[0]} for row in document.get(field) or []]
        else:
            there = document.get(field)
        # Nothing, an empty text and 0 are the same there.
        if (there or "") != (wanted or "") and str(there or 0) != str(wanted or 0):
            found.append(field)
    return found


def domain_up(save):
    """Makes the Email Domain. One that is there with other servers is somebody's, and all of its accounts would get ours."""
    name = DOMAIN["domain_name"]
    there = frappe.db.exists("Email Domain", name)
    document = frappe.get_doc("Email Domain", name) if there else frappe.new_doc("Email Domain")
    changed = differing(document, DOMAIN)
    said = {"name": name, "created": not there, "changed": changed, "left": bool(there and changed and not OURS)}
    if changed and save and not said["left"]:
        document.set("domain_name", name)
        for field in changed:
            document.set(field, DOMAIN[field])
        try:
            document.save()
        except Exception as error:
            # An account needs none.
            frappe.db.rollback()
            said.update(created=False, changed=[], left=True, error=str(error))
    return said


def set_up(save):
    domain = domain_up(save) if DOMAIN else None
    # An address has one account only; the last name is that of AgencyStack's older installer.
    name = next((name for name in (
        frappe.db.exists("Email Account", NAME),
        frappe.db.exists("Email Account", {"email_id": FIELDS["email_id"]}),
        frappe.db.exists("Email Account", "ERPNext Notifications"),
    ) if name), None)
    if name:
        account = frappe.get_doc("Email Account", name)
    else:
        account = frappe.new_doc("Email Account")
        account.set("email_account_name", NAME)
    linked = account.get("domain")
    if domain and linked and (linked != domain["name"] or domain["left"]):
        # The servers of that one would go before the account's own.
        FIELDS["domain"] = ""
    changed = differing(account, FIELDS)
    former = [one for one in defaults() if one != account.name]
    if changed and save:
        for field in changed:
            account.set(field, FIELDS[field])
        account.save()
        lost = differing(frappe.get_doc("Email Account", account.name), FIELDS)
        if lost:
            frappe.db.rollback()
            sys.exit("Frappe did not keep " + ", ".join(lost) + " of the Email Account " + account.name
                     + ": its Email Domain may have other values; nothing was changed")
    if save:
        frappe.db.commit()
    return {"account": account.name or NAME, "changed": changed, "created": not name, "domain": domain, "former": former}


def defaults():
    return [row.name for row in frappe.get_all("Email Account", filters={"default_outgoing": 1})]


def default_again(name):
    """What was the default before ours is it again, if that sends, and if there is no other by now; or why not."""
    if not frappe.db.exists("Email Account", name) or defaults():
        return None
    account = frappe.get_doc("Email Account", name)
    if not account.get("enable_outgoing"):
        return None
    account.set("default_outgoing", 1)
    try:
        account.save()
    except Exception as error:
        frappe.db.rollback()
        return {"name": name, "error": str(error)}
    frappe.db.commit()
    return {"name": name}


def switch_off(name, domain, default):
    changed = []
    if frappe.db.exists("Email Account", name):
        account = frappe.get_doc("Email Account", name)
        changed = [field for field in ("enable_outgoing", "default_outgoing", "enable_incoming", "default_incoming") if account.get(field)]
        for field in changed:
            account.set(field, 0)
        if domain and account.get("domain") == domain:
            account.set("domain", "")
            changed.append("domain")
        if changed:
            account.save()
            frappe.db.commit()
    said = {"account": name, "changed": changed, "domain": None, "default": None}
    if default and "default_outgoing" in changed:
        said["default"] = default_again(default)
    if domain and frappe.db.exists("Email Domain", domain):
        used = [row.name for row in frappe.get_all("Email Account", filters={"domain": domain})]
        edited = differing(frappe.get_doc("Email Domain", domain), DOMAIN or {})
        said["domain"] = {"name": domain, "used": used, "edited": edited}
        if not used and not edited:
            frappe.delete_doc("Email Domain", domain)
            frappe.db.commit()
    return said


frappe.init(site=sys.argv[1], sites_path=".")
frappe.connect()
try:
    frappe.set_user("Administrator")
    if MODE == "send":
        frappe.sendmail(recipients=[sys.argv[3]], subject=sys.argv[4], message="A test message.", now=True)
        frappe.db.commit()
        said = {"sent": True}
    elif MODE == "off":
        said = switch_off(*(sys.argv[3:] + ["", ""])[:3])
    else:
        said = set_up(MODE == "set")
    print(json.dumps(said))
finally:
    frappe.destroy()
"#;
