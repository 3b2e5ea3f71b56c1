# Records for example.com, for Terraform and Route 53 (provider hashicorp/aws).
# Route 53 has one set of records for each name and type. Where the zone has one already, Terraform stops: put its other
# values into `records` here, then `terraform import` it.
# 10.113.0.203.in-addr.arpa. PTR example.com.: set it where you rent the address, mostly in the server's settings under "reverse DNS": its zone is the provider's. Where several mail hosts share the address, the name of one is enough

variable "route53_zone_id_example_com" {
  description = "Route 53's identifier of the zone example.com"
  type        = string
}

# Required: The mail host's address. MX and SRV records point to this name, so it must never be an alias (RFC 2181 §10.3), and no proxy such as Cloudflare's may stand before it.
resource "aws_route53_record" "example_com_a" {
  zone_id = var.route53_zone_id_example_com
  name    = "example.com"
  type    = "A"
  ttl     = 3600
  records = ["203.0.113.10"]
}

# Required: Mail for anybody@example.com goes to this host. Remove MX records of an earlier provider, or it keeps part of the mail.
resource "aws_route53_record" "example_com_mx" {
  zone_id = var.route53_zone_id_example_com
  name    = "example.com"
  type    = "MX"
  ttl     = 3600
  records = ["10 example.com."]
}

# Required: Only the mail host may send for example.com. There must be exactly one such record: if one exists, merge the two (RFC 7208 §3.2).
resource "aws_route53_record" "example_com_txt" {
  zone_id = var.route53_zone_id_example_com
  name    = "example.com"
  type    = "TXT"
  ttl     = 3600
  records = ["v=spf1 mx -all"]
}

# Required: The public half of the key that signs outgoing mail. Without it receivers treat mail from here as forged.
resource "aws_route53_record" "dkim__domainkey_example_com_txt" {
  zone_id = var.route53_zone_id_example_com
  name    = "dkim._domainkey.example.com"
  type    = "TXT"
  ttl     = 3600
  records = ["v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAufFUbvwlaB8vXxpigCrVE+ukrbAkVHjEhXEo35nYfzYm3SBv3n4WsxUvbKBXRPJeY1NS8aw+3RJ/vnlZWXb6AX4HBkGotKm5eNp3MOISEqPwmKJxEUrFycteuC77uQCHtye5Ow0KlWArMGw72W9SlIm7MDbgn7LNH8Kla67sLVKeNJLuyQ2YeY6JAvqwTw2YU\"\"ohzBks9mHoNnOQ30eaMeVGtWyt+vDQxXQWMNEXxnoFwrO4zGL/fymKgn3uvv2qO4sWLMULJqoGkSJgn9Cm0X2TUBqKYMLALlcS/8kqxiQCVCEuWwncoGnLJsUO5sf9FeSqIspu9B37Oae2WuXRr8QIDAQAB"]
}

# Required: What receivers do with mail that only pretends to be from this domain (RFC 9989). Publish it after SPF and DKIM.
resource "aws_route53_record" "_dmarc_example_com_txt" {
  zone_id = var.route53_zone_id_example_com
  name    = "_dmarc.example.com"
  type    = "TXT"
  ttl     = 3600
  records = ["v=DMARC1; p=reject; sp=reject; adkim=s; aspf=s;"]
}

# Recommended: Tells mail programs where submissions is served (RFC 6186).
resource "aws_route53_record" "_submissions__tcp_example_com_srv" {
  zone_id = var.route53_zone_id_example_com
  name    = "_submissions._tcp.example.com"
  type    = "SRV"
  ttl     = 3600
  records = ["10 1 465 example.com."]
}

# Recommended: Tells mail programs where submission is served (RFC 6186).
resource "aws_route53_record" "_submission__tcp_example_com_srv" {
  zone_id = var.route53_zone_id_example_com
  name    = "_submission._tcp.example.com"
  type    = "SRV"
  ttl     = 3600
  records = ["20 1 587 example.com."]
}

# Recommended: Tells mail programs where imaps is served (RFC 6186).
resource "aws_route53_record" "_imaps__tcp_example_com_srv" {
  zone_id = var.route53_zone_id_example_com
  name    = "_imaps._tcp.example.com"
  type    = "SRV"
  ttl     = 3600
  records = ["10 1 993 example.com."]
}

# Recommended: Tells mail programs where imap is served (RFC 6186).
resource "aws_route53_record" "_imap__tcp_example_com_srv" {
  zone_id = var.route53_zone_id_example_com
  name    = "_imap._tcp.example.com"
  type    = "SRV"
  ttl     = 3600
  records = ["20 1 143 example.com."]
}

# Recommended: Tells mail programs where pop3s is served (RFC 6186).
resource "aws_route53_record" "_pop3s__tcp_example_com_srv" {
  zone_id = var.route53_zone_id_example_com
  name    = "_pop3s._tcp.example.com"
  type    = "SRV"
  ttl     = 3600
  records = ["10 1 995 example.com."]
}

# Optional: Tells mail programs that pop3 is not offered (RFC 2782).
# Note: leave it out if your provider's form refuses `.` as a target
resource "aws_route53_record" "_pop3__tcp_example_com_srv" {
  zone_id = var.route53_zone_id_example_com
  name    = "_pop3._tcp.example.com"
  type    = "SRV"
  ttl     = 3600
  records = ["0 0 0 ."]
}

# Optional: Tells mail programs where filter rules are kept (RFC 5804 §1.8).
resource "aws_route53_record" "_sieve__tcp_example_com_srv" {
  zone_id = var.route53_zone_id_example_com
  name    = "_sieve._tcp.example.com"
  type    = "SRV"
  ttl     = 3600
  records = ["0 1 4190 example.com."]
}

# Recommended: Sends Outlook to the mail host for the settings of a new account; needs no certificate for another name.
resource "aws_route53_record" "_autodiscover__tcp_example_com_srv" {
  zone_id = var.route53_zone_id_example_com
  name    = "_autodiscover._tcp.example.com"
  type    = "SRV"
  ttl     = 3600
  records = ["10 1 443 example.com."]
}

# Recommended: Thunderbird and many phones ask this name for the settings of a new account, so that people only type address and password.
# Note: the server obtains a certificate for this name once it resolves
resource "aws_route53_record" "autoconfig_example_com_cname" {
  zone_id = var.route53_zone_id_example_com
  name    = "autoconfig.example.com"
  type    = "CNAME"
  ttl     = 3600
  records = ["example.com."]
}

# Recommended: Outlook ask this name for the settings of a new account, so that people only type address and password.
# Note: the server obtains a certificate for this name once it resolves
resource "aws_route53_record" "autodiscover_example_com_cname" {
  zone_id = var.route53_zone_id_example_com
  name    = "autodiscover.example.com"
  type    = "CNAME"
  ttl     = 3600
  records = ["example.com."]
}
