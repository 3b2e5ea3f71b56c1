//! DNS records of a deployment.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Serialize;

use super::request::{Parsed, Request, Server, addresses, request};
use crate::config::Config;
use crate::dns::Report;
use crate::dns::check::Report as Published;
use crate::dns::formats::{Format, Logo, Page, RenderedText, render, render_checked};
use crate::error::{Error, ErrorKind};
use crate::host::nameservers::DnsOptions;
use crate::host::perform::Progress;
use crate::host::root::Mailu;
use crate::host::{export, files, moment};
use crate::paths::Layout;

/// DNS records in a form for programs or people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DnsText {
    /// Whose records they are; empty where they are those of all zones.
    pub zone: String,
    /// What a file with it is called: `example.com.yaml`.
    pub name: String,
    /// What is in it.
    pub text: String,
}

impl From<RenderedText> for DnsText {
    fn from(text: RenderedText) -> Self {
        Self {
            zone: text.zone,
            name: text.name,
            text: text.text,
        }
    }
}

/// DNS records in files.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DnsExported {
    /// The files.
    pub files: Vec<PathBuf>,
    /// How the records are published, if that was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<Published>,
}

impl DnsExported {
    /// Files, and what is said in them of what is published.
    pub const fn new(files: Vec<PathBuf>, check: Option<Published>) -> Self {
        Self { files, check }
    }
}

/// The part of a report that is about one zone.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] if there is nothing in it.
pub fn only_zone(mut report: Report, zone: &str) -> Result<Report, Error> {
    let names: Vec<_> = report.zones.iter().map(|one| one.zone.clone()).collect();
    report.zones.retain(|one| one.zone == zone);
    if report.zones.is_empty() {
        return Err(Error::new(
            ErrorKind::NotFound,
            "dns.no_zone",
            format!("print the zone {zone}: this deployment has no records in it"),
        )
        .hint(format!("there are: {}", names.join(", "))));
    }
    Ok(report)
}

impl Mailu {
    /// The DNS records of the deployment at `layout` in a form, of all zones or of one. `published` is how they are according to
    /// [`Mailu::check_dns`], and when that was looked at; only pages have room for it.
    ///
    /// # Errors
    ///
    /// As [`Mailu::dns`] and [`render`]; [`ErrorKind::NotFound`] for a zone without records.
    pub fn dns_texts(
        &self,
        layout: &Layout,
        format: Format,
        zone: Option<&str>,
        page: &Page,
        published: Option<(&Published, &str)>,
    ) -> Result<Vec<RenderedText>, Error> {
        let (config, all) = self.dns(layout)?;
        let text = |report: &Report| rendered(&config, report, format, page, published);
        let mut texts = text(&all)?;
        if let Some(zone) = zone {
            let report = only_zone(all, zone)?;
            // Out of all of them, because a zone's text may have notes about others.
            texts.retain(|text| text.zone == zone);
            if texts.is_empty() {
                texts = text(&report)?;
            }
        }
        Ok(texts)
    }
}

fn rendered(
    config: &Config,
    report: &Report,
    format: Format,
    page: &Page,
    published: Option<(&Published, &str)>,
) -> Result<Vec<RenderedText>, Error> {
    match published {
        Some((published, at)) => render_checked(config, report, page, published, at),
        None => render(config, report, format, page),
    }
}

request! {
    /// The DNS records of a deployment, by zone.
    Dns of one ()
    {
        /// Only this zone.
        zone: Option<String>,
    }
}

impl Request for Dns {
    type Answer = Report;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let (_, report) = mailu.dns(&mailu.find(&self.target())?)?;
        match &self.zone {
            Some(zone) => only_zone(report, zone),
            None => Ok(report),
        }
    }
}

request! {
    /// How the DNS records of a deployment are published, according to all name servers.
    DnsCheck of one ()
    {
        /// Only this zone.
        zone: Option<String>,
        /// DNS server that finds name servers, `ADDRESS` or `ADDRESS:PORT`. Without it, the host's.
        resolver: Option<Parsed<Server>>,
        /// Servers to ask for every zone, instead of those that it is delegated to.
        nameserver: Vec<Parsed<Server>>,
        /// A file with certificates (PEM) of authorities to trust for MTA-STS policies, beside those that browsers do.
        #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
        ca: Option<PathBuf>,
    }
}

impl Request for DnsCheck {
    type Answer = Published;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let layout = mailu.find(&self.target())?;
        if let Some(zone) = &self.zone {
            only_zone(mailu.dns(&layout)?.1, zone)?;
        }
        let options = DnsOptions {
            resolver: self.resolver.map(|server| server.0.0),
            authoritative: addresses(&self.nameserver),
            zone: self.zone,
            authorities: self.ca,
        };
        mailu.check_dns(&layout, &options)
    }
}

/// A form, by its name.
#[derive(Debug, Clone, Copy)]
struct Form(Format);

impl FromStr for Form {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Format::ALL
            .into_iter()
            .find(|format| format.as_str() == text)
            .map(Self)
            .ok_or_else(|| {
                let all: Vec<_> = Format::ALL.iter().map(|format| format.as_str()).collect();
                format!("must be one of {}", all.join(", "))
            })
    }
}

fn page(agency: Option<String>, logo: Option<&Path>, format: Format) -> Result<Page, Error> {
    if format != Format::Html && (agency.is_some() || logo.is_some()) {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "dns.page_only",
            "put a name or a logo on the records: only the page for the domain's owner has room for them",
        )
        .hint("add `--format html`"));
    }
    agency_page(agency, logo)
}

/// A page with an agency's name and logo.
pub(super) fn agency_page(agency: Option<String>, logo: Option<&Path>) -> Result<Page, Error> {
    let logo = match logo {
        Some(path) => {
            let mut bytes = Vec::new();
            // No more than shows that it is too large.
            File::open(path)
                .and_then(|file| file.take(Logo::LIMIT as u64 + 1).read_to_end(&mut bytes))
                .map_err(|error| files::failed("read", path, error))?;
            Some(Logo::new(bytes)?)
        }
        None => None,
    };
    let agency = agency.filter(|name| !name.trim().is_empty());
    Ok(Page::new(agency, logo))
}

request! {
    /// The DNS records of a deployment in a form for programs or people, a text for each zone or one for all.
    Rendered of one
    (
        /// `records`, `zone`, `json`, `octodns`, `terraform-cloudflare`, `terraform-route53`, `nsupdate`, `csv`, `markdown`, or `html`: a page for
        /// whoever owns the domain.
        format: Parsed<Form>,
    )
    {
        /// Only this zone.
        zone: Option<String>,
        /// The name that stands on a page, usually your agency's.
        agency: Option<String>,
        /// A file with a logo for a page, PNG, JPEG or SVG. It becomes part of the page.
        #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
        logo: Option<PathBuf>,
    }
}

impl Request for Rendered {
    type Answer = Vec<DnsText>;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let layout = mailu.find(&self.target())?;
        let format = self.format.0.0;
        let page = page(self.agency, self.logo.as_deref(), format)?;
        let texts = mailu.dns_texts(&layout, format, self.zone.as_deref(), &page, None)?;
        Ok(texts.into_iter().map(DnsText::from).collect())
    }
}

request! {
    /// Writes the DNS records of a deployment into files, one for each zone or one for all. A file that did not come from here is never replaced.
    Export of one
    (
        /// The directory.
        #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
        out: PathBuf,
        /// As `dns_text` has it.
        format: Parsed<Form>,
    )
    {
        /// Only this zone.
        zone: Option<String>,
        /// The name that stands on a page, usually your agency's.
        agency: Option<String>,
        /// A file with a logo for a page, PNG, JPEG or SVG. It becomes part of the page.
        #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
        logo: Option<PathBuf>,
        /// Say on the pages how each record is published.
        check: bool,
        /// With `check`: DNS server that finds name servers, `ADDRESS` or `ADDRESS:PORT`. Without it, the host's.
        resolver: Option<Parsed<Server>>,
        /// With `check`: servers to ask for every zone, instead of those that it is delegated to.
        nameserver: Vec<Parsed<Server>>,
        /// With `check`: a file with certificates (PEM) of authorities to trust for MTA-STS policies, beside those that browsers do.
        #[cfg_attr(feature = "schema", schemars(extend("x-path" = true)))]
        ca: Option<PathBuf>,
    }
}

impl Request for Export {
    type Answer = DnsExported;

    fn perform(self, mailu: &Mailu, _: &mut dyn Progress) -> Result<Self::Answer, Error> {
        let layout = mailu.find(&self.target())?;
        let format = self.format.0.0;
        if self.check && format != Format::Html {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "dns.check_format",
                "say in this form what is published: only the table, JSON and the page for the domain's owner have room for it",
            )
            .hint("leave `--format` and `--out` out, or choose `--format html`"));
        }
        let page = page(self.agency, self.logo.as_deref(), format)?;
        let zone = self.zone.as_deref();
        // What cannot be written is told before anybody is asked.
        let mut texts = mailu.dns_texts(&layout, format, zone, &page, None)?;
        let mut published = None;
        if self.check {
            let options = DnsOptions {
                resolver: self.resolver.map(|server| server.0.0),
                authoritative: addresses(&self.nameserver),
                zone: self.zone.clone(),
                authorities: self.ca,
            };
            let found = mailu.check_dns(&layout, &options)?;
            let at = moment();
            texts = mailu.dns_texts(&layout, format, zone, &page, Some((&found, &at)))?;
            published = Some(found);
        }
        Ok(DnsExported::new(export(&self.out, &texts)?, published))
    }
}
