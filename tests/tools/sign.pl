# Signs a message from the input: sign.pl KEYFILE DOMAIN SELECTOR
use strict;
use warnings;
use Mail::DKIM::Signer;

my ($key, $domain, $selector) = @ARGV;
my $signer = Mail::DKIM::Signer->new(
    Algorithm => 'rsa-sha256',
    Method    => 'relaxed/relaxed',
    Domain    => $domain,
    Selector  => $selector,
    KeyFile   => $key,
);
binmode STDIN;
binmode STDOUT;
local $/;
my $message = <STDIN>;
$signer->PRINT($message);
$signer->CLOSE;
print $signer->signature->as_string, "\r\n", $message;
