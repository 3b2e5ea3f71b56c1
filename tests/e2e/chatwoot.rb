# chatwoot.rb FILE TO SUBJECT PATIENCE: sends a message with Action Mailer, set up from Chatwoot's variables (FILE has them as JSON) as Chatwoot sets it
# up. Prints {"ok": …, "why": …}.
require "json"
require "action_mailer"

path, to, subject, patience = ARGV
GIVEN = JSON.parse(File.read(path, encoding: "UTF-8"))

# As Rails casts them: these words are no, everything else is yes.
def yes?(name, otherwise = nil)
  !["", "0", "f", "F", "false", "FALSE", "off", "OFF"].include?(GIVEN.fetch(name, otherwise).to_s)
end

settings = {
  address: GIVEN["SMTP_ADDRESS"], port: GIVEN.fetch("SMTP_PORT", 587).to_i, domain: GIVEN["SMTP_DOMAIN"],
  user_name: GIVEN["SMTP_USERNAME"], password: GIVEN["SMTP_PASSWORD"], authentication: GIVEN.fetch("SMTP_AUTHENTICATION", "login").to_sym,
  enable_starttls_auto: yes?("SMTP_ENABLE_STARTTLS_AUTO", true), openssl_verify_mode: GIVEN["SMTP_OPENSSL_VERIFY_MODE"],
  open_timeout: patience.to_i, read_timeout: patience.to_i
}
# Their presence counts.
settings[:ssl] = yes?("SMTP_SSL") if GIVEN.key?("SMTP_SSL")
settings[:tls] = yes?("SMTP_TLS") if GIVEN.key?("SMTP_TLS")
# Newer versions of the mail library refuse it; this one may not.
raise ArgumentError, "both ways of TLS" if settings[:enable_starttls_auto] && (settings[:ssl] || settings[:tls])

ActionMailer::Base.delivery_method = :smtp
ActionMailer::Base.smtp_settings = settings
ActionMailer::Base.raise_delivery_errors = true
ActionMailer::Base.logger = nil

class Notice < ActionMailer::Base
  default from: GIVEN["MAILER_SENDER_EMAIL"]

  def say(to, subject)
    mail(to: to, subject: subject, body: "from Chatwoot", content_type: "text/plain")
  end
end

begin
  Notice.say(to, subject).deliver_now
  said = { ok: true, why: "" }
rescue StandardError => error
  said = { ok: false, why: "#{error.class} #{error.message}" }
end
puts JSON.generate(said)
