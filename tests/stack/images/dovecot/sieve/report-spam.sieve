# Whatever is moved to Junk, rspamd learns as spam.
require ["vnd.dovecot.execute", "copy", "imapsieve"];
execute :pipe "spam";
