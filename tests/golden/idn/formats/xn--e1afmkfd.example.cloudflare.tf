# Records for xn--e1afmkfd.example, for Terraform and Cloudflare (provider cloudflare/cloudflare, version 5).
# Terraform adds these beside what the zone has. A domain may have one SPF and one DMARC record only.

variable "cloudflare_zone_id_xn--e1afmkfd_example" {
  description = "Cloudflare's identifier of the zone xn--e1afmkfd.example"
  type        = string
}

# Required: Mail for anybody@xn--e1afmkfd.example goes to this host. Remove MX records of an earlier provider, or it keeps part of the mail.
resource "cloudflare_dns_record" "xn--e1afmkfd_example_mx" {
  zone_id  = var.cloudflare_zone_id_xn--e1afmkfd_example
  name     = "xn--e1afmkfd.example"
  type     = "MX"
  ttl      = 3600
  content  = "mail.xn--mnchen-3ya.example"
  priority = 10
}

# Required: Only the mail host may send for xn--e1afmkfd.example. There must be exactly one such record: if one exists, merge the two (RFC 7208 §3.2).
resource "cloudflare_dns_record" "xn--e1afmkfd_example_spf" {
  zone_id = var.cloudflare_zone_id_xn--e1afmkfd_example
  name    = "xn--e1afmkfd.example"
  type    = "TXT"
  ttl     = 3600
  content = "\"v=spf1 mx -all\""
}

# dkim._domainkey.xn--e1afmkfd.example. TXT: not known yet (the key is drawn at installation)

# Required: What receivers do with mail that only pretends to be from this domain (RFC 9989). Publish it after SPF and DKIM.
resource "cloudflare_dns_record" "_dmarc_xn--e1afmkfd_example_dmarc" {
  zone_id = var.cloudflare_zone_id_xn--e1afmkfd_example
  name    = "_dmarc.xn--e1afmkfd.example"
  type    = "TXT"
  ttl     = 3600
  content = "\"v=DMARC1; p=reject; sp=reject; adkim=s; aspf=s;\""
}

# Recommended: Tells mail programs where submissions is served (RFC 6186).
resource "cloudflare_dns_record" "_submissions__tcp_xn--e1afmkfd_example_srv" {
  zone_id  = var.cloudflare_zone_id_xn--e1afmkfd_example
  name     = "_submissions._tcp.xn--e1afmkfd.example"
  type     = "SRV"
  ttl      = 3600
  priority = 10

  data = {
    priority = 10
    weight   = 1
    port     = 465
    target   = "mail.xn--mnchen-3ya.example"
  }
}

# Recommended: Tells mail programs where submission is served (RFC 6186).
resource "cloudflare_dns_record" "_submission__tcp_xn--e1afmkfd_example_srv" {
  zone_id  = var.cloudflare_zone_id_xn--e1afmkfd_example
  name     = "_submission._tcp.xn--e1afmkfd.example"
  type     = "SRV"
  ttl      = 3600
  priority = 20

  data = {
    priority = 20
    weight   = 1
    port     = 587
    target   = "mail.xn--mnchen-3ya.example"
  }
}

# Recommended: Tells mail programs where imaps is served (RFC 6186).
resource "cloudflare_dns_record" "_imaps__tcp_xn--e1afmkfd_example_srv" {
  zone_id  = var.cloudflare_zone_id_xn--e1afmkfd_example
  name     = "_imaps._tcp.xn--e1afmkfd.example"
  type     = "SRV"
  ttl      = 3600
  priority = 10

  data = {
    priority = 10
    weight   = 1
    port     = 993
    target   = "mail.xn--mnchen-3ya.example"
  }
}

# Recommended: Tells mail programs where imap is served (RFC 6186).
resource "cloudflare_dns_record" "_imap__tcp_xn--e1afmkfd_example_srv" {
  zone_id  = var.cloudflare_zone_id_xn--e1afmkfd_example
  name     = "_imap._tcp.xn--e1afmkfd.example"
  type     = "SRV"
  ttl      = 3600
  priority = 20

  data = {
    priority = 20
    weight   = 1
    port     = 143
    target   = "mail.xn--mnchen-3ya.example"
  }
}

# Recommended: Tells mail programs where pop3s is served (RFC 6186).
resource "cloudflare_dns_record" "_pop3s__tcp_xn--e1afmkfd_example_srv" {
  zone_id  = var.cloudflare_zone_id_xn--e1afmkfd_example
  name     = "_pop3s._tcp.xn--e1afmkfd.example"
  type     = "SRV"
  ttl      = 3600
  priority = 10

  data = {
    priority = 10
    weight   = 1
    port     = 995
    target   = "mail.xn--mnchen-3ya.example"
  }
}

# Optional: Tells mail programs that pop3 is not offered (RFC 2782).
# Note: leave it out if your provider's form refuses `.` as a target
resource "cloudflare_dns_record" "_pop3__tcp_xn--e1afmkfd_example_srv" {
  zone_id  = var.cloudflare_zone_id_xn--e1afmkfd_example
  name     = "_pop3._tcp.xn--e1afmkfd.example"
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
resource "cloudflare_dns_record" "_sieve__tcp_xn--e1afmkfd_example_srv" {
  zone_id  = var.cloudflare_zone_id_xn--e1afmkfd_example
  name     = "_sieve._tcp.xn--e1afmkfd.example"
  type     = "SRV"
  ttl      = 3600
  priority = 0

  data = {
    priority = 0
    weight   = 1
    port     = 4190
    target   = "mail.xn--mnchen-3ya.example"
  }
}

# Recommended: Sends Outlook to the mail host for the settings of a new account; needs no certificate for another name.
resource "cloudflare_dns_record" "_autodiscover__tcp_xn--e1afmkfd_example_srv" {
  zone_id  = var.cloudflare_zone_id_xn--e1afmkfd_example
  name     = "_autodiscover._tcp.xn--e1afmkfd.example"
  type     = "SRV"
  ttl      = 3600
  priority = 10

  data = {
    priority = 10
    weight   = 1
    port     = 443
    target   = "mail.xn--mnchen-3ya.example"
  }
}

# Recommended: Thunderbird and many phones ask this name for the settings of a new account, so that people only type address and password.
# Note: the server obtains a certificate for this name once it resolves
resource "cloudflare_dns_record" "autoconfig_xn--e1afmkfd_example_cname" {
  zone_id = var.cloudflare_zone_id_xn--e1afmkfd_example
  name    = "autoconfig.xn--e1afmkfd.example"
  type    = "CNAME"
  ttl     = 3600
  content = "mail.xn--mnchen-3ya.example"
  proxied = false
}

# Recommended: Outlook ask this name for the settings of a new account, so that people only type address and password.
# Note: the server obtains a certificate for this name once it resolves
resource "cloudflare_dns_record" "autodiscover_xn--e1afmkfd_example_cname" {
  zone_id = var.cloudflare_zone_id_xn--e1afmkfd_example
  name    = "autodiscover.xn--e1afmkfd.example"
  type    = "CNAME"
  ttl     = 3600
  content = "mail.xn--mnchen-3ya.example"
  proxied = false
}
