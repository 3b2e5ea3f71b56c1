# Records for example.org, for Terraform and Cloudflare (provider cloudflare/cloudflare, version 5).
# Terraform adds these beside what the zone has. A domain may have one SPF and one DMARC record only.

variable "cloudflare_zone_id_example_org" {
  description = "Cloudflare's identifier of the zone example.org"
  type        = string
}

# Required: Mail for anybody@example.org goes to this host. Remove MX records of an earlier provider, or it keeps part of the mail.
resource "cloudflare_dns_record" "example_org_mx" {
  zone_id  = var.cloudflare_zone_id_example_org
  name     = "example.org"
  type     = "MX"
  ttl      = 3600
  content  = "example.com"
  priority = 10
}

# Required: Only the mail host may send for example.org. There must be exactly one such record: if one exists, merge the two (RFC 7208 §3.2).
resource "cloudflare_dns_record" "example_org_spf" {
  zone_id = var.cloudflare_zone_id_example_org
  name    = "example.org"
  type    = "TXT"
  ttl     = 3600
  content = "\"v=spf1 mx -all\""
}

# dkim._domainkey.example.org. TXT: not known yet (the key is drawn at installation)

# Required: What receivers do with mail that only pretends to be from this domain (RFC 9989). Publish it after SPF and DKIM.
resource "cloudflare_dns_record" "_dmarc_example_org_dmarc" {
  zone_id = var.cloudflare_zone_id_example_org
  name    = "_dmarc.example.org"
  type    = "TXT"
  ttl     = 3600
  content = "\"v=DMARC1; p=reject; sp=reject; adkim=s; aspf=s;\""
}

# Recommended: Tells mail programs where submissions is served (RFC 6186).
resource "cloudflare_dns_record" "_submissions__tcp_example_org_srv" {
  zone_id  = var.cloudflare_zone_id_example_org
  name     = "_submissions._tcp.example.org"
  type     = "SRV"
  ttl      = 3600
  priority = 10

  data = {
    priority = 10
    weight   = 1
    port     = 465
    target   = "example.com"
  }
}

# Recommended: Tells mail programs where submission is served (RFC 6186).
resource "cloudflare_dns_record" "_submission__tcp_example_org_srv" {
  zone_id  = var.cloudflare_zone_id_example_org
  name     = "_submission._tcp.example.org"
  type     = "SRV"
  ttl      = 3600
  priority = 20

  data = {
    priority = 20
    weight   = 1
    port     = 587
    target   = "example.com"
  }
}

# Recommended: Tells mail programs where imaps is served (RFC 6186).
resource "cloudflare_dns_record" "_imaps__tcp_example_org_srv" {
  zone_id  = var.cloudflare_zone_id_example_org
  name     = "_imaps._tcp.example.org"
  type     = "SRV"
  ttl      = 3600
  priority = 10

  data = {
    priority = 10
    weight   = 1
    port     = 993
    target   = "example.com"
  }
}

# Recommended: Tells mail programs where imap is served (RFC 6186).
resource "cloudflare_dns_record" "_imap__tcp_example_org_srv" {
  zone_id  = var.cloudflare_zone_id_example_org
  name     = "_imap._tcp.example.org"
  type     = "SRV"
  ttl      = 3600
  priority = 20

  data = {
    priority = 20
    weight   = 1
    port     = 143
    target   = "example.com"
  }
}

# Recommended: Tells mail programs where pop3s is served (RFC 6186).
resource "cloudflare_dns_record" "_pop3s__tcp_example_org_srv" {
  zone_id  = var.cloudflare_zone_id_example_org
  name     = "_pop3s._tcp.example.org"
  type     = "SRV"
  ttl      = 3600
  priority = 10

  data = {
    priority = 10
    weight   = 1
    port     = 995
    target   = "example.com"
  }
}

# Optional: Tells mail programs that pop3 is not offered (RFC 2782).
# Note: leave it out if your provider's form refuses `.` as a target
resource "cloudflare_dns_record" "_pop3__tcp_example_org_srv" {
  zone_id  = var.cloudflare_zone_id_example_org
  name     = "_pop3._tcp.example.org"
  type     = "SRV"
  ttl      = 3600
  priority = 0

  data = {
    priority = 0
    weight   = 0
    port     = 0
    target   = "."
  }
}

# Optional: Tells mail programs where filter rules are kept (RFC 5804 §1.8).
resource "cloudflare_dns_record" "_sieve__tcp_example_org_srv" {
  zone_id  = var.cloudflare_zone_id_example_org
  name     = "_sieve._tcp.example.org"
  type     = "SRV"
  ttl      = 3600
  priority = 0

  data = {
    priority = 0
    weight   = 1
    port     = 4190
    target   = "example.com"
  }
}

# Recommended: Sends Outlook to the mail host for the settings of a new account; needs no certificate for another name.
resource "cloudflare_dns_record" "_autodiscover__tcp_example_org_srv" {
  zone_id  = var.cloudflare_zone_id_example_org
  name     = "_autodiscover._tcp.example.org"
  type     = "SRV"
  ttl      = 3600
  priority = 10

  data = {
    priority = 10
    weight   = 1
    port     = 443
    target   = "example.com"
  }
}

# Recommended: Thunderbird and many phones ask this name for the settings of a new account, so that people only type address and password.
# Note: the server obtains a certificate for this name once it resolves
resource "cloudflare_dns_record" "autoconfig_example_org_cname" {
  zone_id = var.cloudflare_zone_id_example_org
  name    = "autoconfig.example.org"
  type    = "CNAME"
  ttl     = 3600
  content = "example.com"
  proxied = false
}

# Recommended: Outlook ask this name for the settings of a new account, so that people only type address and password.
# Note: the server obtains a certificate for this name once it resolves
resource "cloudflare_dns_record" "autodiscover_example_org_cname" {
  zone_id = var.cloudflare_zone_id_example_org
  name    = "autodiscover.example.org"
  type    = "CNAME"
  ttl     = 3600
  content = "example.com"
  proxied = false
}

# Required: A further name of the server. It is part of the certificate, so it must resolve before one is requested.
resource "cloudflare_dns_record" "example_org_a" {
  zone_id = var.cloudflare_zone_id_example_org
  name    = "example.org"
  type    = "A"
  ttl     = 3600
  content = "203.0.113.10"
  proxied = false
}
