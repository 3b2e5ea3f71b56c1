# Records for example.org, for Terraform and Route 53 (provider hashicorp/aws).
# Route 53 has one set of records for each name and type. Where the zone has one already, Terraform stops: put its other
# values into `records` here, then `terraform import` it.

variable "route53_zone_id_example_org" {
  description = "Route 53's identifier of the zone example.org"
  type        = string
}

# dkim._domainkey.example.org. TXT: not known yet (the key is drawn at installation)

# Required: Mail for anybody@example.org goes to this host. Remove MX records of an earlier provider, or it keeps part of the mail.
resource "aws_route53_record" "example_org_mx" {
  zone_id = var.route53_zone_id_example_org
  name    = "example.org"
  type    = "MX"
  ttl     = 3600
  records = ["10 example.com."]
}

# Required: Only the mail host may send for example.org. There must be exactly one such record: if one exists, merge the two (RFC 7208 §3.2).
resource "aws_route53_record" "example_org_txt" {
  zone_id = var.route53_zone_id_example_org
  name    = "example.org"
  type    = "TXT"
  ttl     = 3600
  records = ["v=spf1 mx -all"]
}

# Required: What receivers do with mail that only pretends to be from this domain (RFC 9989). Publish it after SPF and DKIM.
resource "aws_route53_record" "_dmarc_example_org_txt" {
  zone_id = var.route53_zone_id_example_org
  name    = "_dmarc.example.org"
  type    = "TXT"
  ttl     = 3600
  records = ["v=DMARC1; p=reject; sp=reject; adkim=s; aspf=s;"]
}

# Recommended: Tells mail programs where submissions is served (RFC 6186).
resource "aws_route53_record" "_submissions__tcp_example_org_srv" {
  zone_id = var.route53_zone_id_example_org
  name    = "_submissions._tcp.example.org"
  type    = "SRV"
  ttl     = 3600
  records = ["10 1 465 example.com."]
}

# Recommended: Tells mail programs where submission is served (RFC 6186).
resource "aws_route53_record" "_submission__tcp_example_org_srv" {
  zone_id = var.route53_zone_id_example_org
  name    = "_submission._tcp.example.org"
  type    = "SRV"
  ttl     = 3600
  records = ["20 1 587 example.com."]
}

# Recommended: Tells mail programs where imaps is served (RFC 6186).
resource "aws_route53_record" "_imaps__tcp_example_org_srv" {
  zone_id = var.route53_zone_id_example_org
  name    = "_imaps._tcp.example.org"
  type    = "SRV"
  ttl     = 3600
  records = ["10 1 993 example.com."]
}

# Recommended: Tells mail programs where imap is served (RFC 6186).
resource "aws_route53_record" "_imap__tcp_example_org_srv" {
  zone_id = var.route53_zone_id_example_org
  name    = "_imap._tcp.example.org"
  type    = "SRV"
  ttl     = 3600
  records = ["20 1 143 example.com."]
}

# Recommended: Tells mail programs where pop3s is served (RFC 6186).
resource "aws_route53_record" "_pop3s__tcp_example_org_srv" {
  zone_id = var.route53_zone_id_example_org
  name    = "_pop3s._tcp.example.org"
  type    = "SRV"
  ttl     = 3600
  records = ["10 1 995 example.com."]
}

# Optional: Tells mail programs that pop3 is not offered (RFC 2782).
# Note: leave it out if your provider's form refuses `.` as a target
resource "aws_route53_record" "_pop3__tcp_example_org_srv" {
  zone_id = var.route53_zone_id_example_org
  name    = "_pop3._tcp.example.org"
  type    = "SRV"
  ttl     = 3600
  records = ["0 0 0 ."]
}

# Optional: Tells mail programs where filter rules are kept (RFC 5804 §1.8).
resource "aws_route53_record" "_sieve__tcp_example_org_srv" {
  zone_id = var.route53_zone_id_example_org
  name    = "_sieve._tcp.example.org"
  type    = "SRV"
  ttl     = 3600
  records = ["0 1 4190 example.com."]
}

# Recommended: Sends Outlook to the mail host for the settings of a new account; needs no certificate for another name.
resource "aws_route53_record" "_autodiscover__tcp_example_org_srv" {
  zone_id = var.route53_zone_id_example_org
  name    = "_autodiscover._tcp.example.org"
  type    = "SRV"
  ttl     = 3600
  records = ["10 1 443 example.com."]
}

# Recommended: Thunderbird and many phones ask this name for the settings of a new account, so that people only type address and password.
# Note: the server obtains a certificate for this name once it resolves
resource "aws_route53_record" "autoconfig_example_org_cname" {
  zone_id = var.route53_zone_id_example_org
  name    = "autoconfig.example.org"
  type    = "CNAME"
  ttl     = 3600
  records = ["example.com."]
}

# Recommended: Outlook ask this name for the settings of a new account, so that people only type address and password.
# Note: the server obtains a certificate for this name once it resolves
resource "aws_route53_record" "autodiscover_example_org_cname" {
  zone_id = var.route53_zone_id_example_org
  name    = "autodiscover.example.org"
  type    = "CNAME"
  ttl     = 3600
  records = ["example.com."]
}

# Required: A further name of the server. It is part of the certificate, so it must resolve before one is requested.
resource "aws_route53_record" "example_org_a" {
  zone_id = var.route53_zone_id_example_org
  name    = "example.org"
  type    = "A"
  ttl     = 3600
  records = ["203.0.113.10"]
}
