# Whatever is moved out of Junk, rspamd learns as wanted, unless it was thrown away.
require ["vnd.dovecot.execute", "copy", "imapsieve", "environment"];
if environment :is "imap.mailbox" "Trash" {
  stop;
}
execute :pipe "ham";
