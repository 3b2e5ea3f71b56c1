# Records for example.com, for Terraform and Cloudflare (provider cloudflare/cloudflare, version 5).
# Terraform adds these beside what the zone has. A domain may have one SPF and one DMARC record only.
# 10.113.0.203.in-addr.arpa. PTR example.com.: set it where you rent the address, mostly in the server's settings under "reverse DNS": its zone is the provider's. Where several mail hosts share the address, the name of one is enough

variable "cloudflare_zone_id_example_com" {
  description = "Cloudflare's identifier of the zone example.com"
  type        = string
}

# Required: The mail host's address. MX and SRV records point to this name, so it must never be an alias (RFC 2181 §10.3), and no proxy such as Cloudflare's may stand before it.
resource "cloudflare_dns_record" "example_com_a" {
  zone_id = var.cloudflare_zone_id_example_com
  name    = "example.com"
  type    = "A"
  ttl     = 3600
  content = "203.0.113.10"
  proxied = false
}

# Required: Mail for anybody@example.com goes to this host. Remove MX records of an earlier provider, or it keeps part of the mail.
resource "cloudflare_dns_record" "example_com_mx" {
  zone_id  = var.cloudflare_zone_id_example_com
  name     = "example.com"
  type     = "MX"
  ttl      = 3600
  content  = "example.com"
  priority = 10
}

# Required: Only the mail host may send for example.com. There must be exactly one such record: if one exists, merge the two (RFC 7208 §3.2).
resource "cloudflare_dns_record" "example_com_spf" {
  zone_id = var.cloudflare_zone_id_example_com
  name    = "example.com"
  type    = "TXT"
  ttl     = 3600
  content = "\"v=spf1 mx -all\""
}

# Required: The public half of the key that signs outgoing mail. Without it receivers treat mail from here as forged.
resource "cloudflare_dns_record" "dkim__domainkey_example_com_dkim" {
  zone_id = var.cloudflare_zone_id_example_com
  name    = "dkim._domainkey.example.com"
  type    = "TXT"
  ttl     = 3600
  content = "\"v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAufFUbvwlaB8vXxpigCrVE+ukrbAkVHjEhXEo35nYfzYm3SBv3n4WsxUvbKBXRPJeY1NS8aw+3RJ/vnlZWXb6AX4HBkGotKm5eNp3MOISEqPwmKJxEUrFycteuC77uQCHtye5Ow0KlWArMGw72W9SlIm7MDbgn7LNH8Kla67sLVKeNJLuyQ2YeY6JAvqwTw2YU\" \"ohzBks9mHoNnOQ30eaMeVGtWyt+vDQxXQWMNEXxnoFwrO4zGL/fymKgn3uvv2qO4sWLMULJqoGkSJgn9Cm0X2TUBqKYMLALlcS/8kqxiQCVCEuWwncoGnLJsUO5sf9FeSqIspu9B37Oae2WuXRr8QIDAQAB\""
}

# Required: What receivers do with mail that only pretends to be from this domain (RFC 9989). Publish it after SPF and DKIM.
resource "cloudflare_dns_record" "_dmarc_example_com_dmarc" {
  zone_id = var.cloudflare_zone_id_example_com
  name    = "_dmarc.example.com"
  type    = "TXT"
  ttl     = 3600
  content = "\"v=DMARC1; p=reject; sp=reject; adkim=s; aspf=s;\""
}

# Recommended: Tells mail programs where submissions is served (RFC 6186).
resource "cloudflare_dns_record" "_submissions__tcp_example_com_srv" {
  zone_id  = var.cloudflare_zone_id_example_com
  name     = "_submissions._tcp.example.com"
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
resource "cloudflare_dns_record" "_submission__tcp_example_com_srv" {
  zone_id  = var.cloudflare_zone_id_example_com
  name     = "_submission._tcp.example.com"
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
resource "cloudflare_dns_record" "_imaps__tcp_example_com_srv" {
  zone_id  = var.cloudflare_zone_id_example_com
  name     = "_imaps._tcp.example.com"
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
resource "cloudflare_dns_record" "_imap__tcp_example_com_srv" {
  zone_id  = var.cloudflare_zone_id_example_com
  name     = "_imap._tcp.example.com"
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
resource "cloudflare_dns_record" "_pop3s__tcp_example_com_srv" {
  zone_id  = var.cloudflare_zone_id_example_com
  name     = "_pop3s._tcp.example.com"
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
resource "cloudflare_dns_record" "_pop3__tcp_example_com_srv" {
  zone_id  = var.cloudflare_zone_id_example_com
  name     = "_pop3._tcp.example.com"
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
resource "cloudflare_dns_record" "_sieve__tcp_example_com_srv" {
  zone_id  = var.cloudflare_zone_id_example_com
  name     = "_sieve._tcp.example.com"
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
resource "cloudflare_dns_record" "_autodiscover__tcp_example_com_srv" {
  zone_id  = var.cloudflare_zone_id_example_com
  name     = "_autodiscover._tcp.example.com"
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
resource "cloudflare_dns_record" "autoconfig_example_com_cname" {
  zone_id = var.cloudflare_zone_id_example_com
  name    = "autoconfig.example.com"
  type    = "CNAME"
  ttl     = 3600
  content = "example.com"
  proxied = false
}

# Recommended: Outlook ask this name for the settings of a new account, so that people only type address and password.
# Note: the server obtains a certificate for this name once it resolves
resource "cloudflare_dns_record" "autodiscover_example_com_cname" {
  zone_id = var.cloudflare_zone_id_example_com
  name    = "autodiscover.example.com"
  type    = "CNAME"
  ttl     = 3600
  content = "example.com"
  proxied = false
}
