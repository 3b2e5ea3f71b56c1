//! Renders three clients and prints the DNS records that each of them must publish.

use std::collections::BTreeMap;

use mailu_core::api;

fn main() -> Result<(), mailu_core::Error> {
    for client in ["alpha", "beta", "gamma"] {
        let config = serde_json::json!({
            "mail_host": format!("mail.{client}.example"),
            "email_domain": format!("{client}.example"),
            "admin_email": format!("admin@{client}.example"),
            "client": client,
            "dns": { "ipv4": "203.0.113.10" },
        });
        let files = api::render_files(&config, &BTreeMap::new(), &BTreeMap::new())?;
        let report = api::dns_records(&config, &BTreeMap::new())?;
        #[expect(clippy::print_stdout, reason = "an example prints")]
        for zone in &report.zones {
            println!(
                "{}: {} files, zone {} with {} records",
                client,
                files.len(),
                zone.zone,
                zone.records.len()
            );
        }
    }
    Ok(())
}
