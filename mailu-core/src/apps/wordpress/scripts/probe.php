$agencystack_last = function ($stage, $code, $text) {
    agencystack_answer(array('stage' => $stage, 'code' => (int) $code, 'text' => (string) $text));
    exit(0);
};
$agencystack_host = $agencystack_input['host'];
$agencystack_port = (int) $agencystack_input['port'];
if (gethostbynamel($agencystack_host) === false && !@dns_get_record($agencystack_host, DNS_AAAA)) {
    $agencystack_last('resolve', 0, 'no address');
}
$agencystack_socket = @stream_socket_client("tcp://$agencystack_host:$agencystack_port", $agencystack_number, $agencystack_text, 10);
if (!$agencystack_socket) {
    $agencystack_last('connect', 0, $agencystack_text);
}
fclose($agencystack_socket);
foreach (array('/wp-includes/PHPMailer/Exception.php', '/wp-includes/PHPMailer/SMTP.php', '/wp-includes/class-smtp.php') as $agencystack_file) {
    if (is_readable($agencystack_input['docroot'] . $agencystack_file) && !class_exists('SMTP', false) && !class_exists('PHPMailer\PHPMailer\SMTP', false)) {
        require $agencystack_input['docroot'] . $agencystack_file;
    }
}
$agencystack_class = class_exists('PHPMailer\PHPMailer\SMTP', false) ? 'PHPMailer\PHPMailer\SMTP' : 'SMTP';
$agencystack_smtp = new $agencystack_class();
$agencystack_smtp->Timeout = 15;
$agencystack_smtp->Timelimit = 30;
$agencystack_tls = array('verify_peer' => true, 'verify_peer_name' => true, 'allow_self_signed' => false, 'peer_name' => $agencystack_host);
if ($agencystack_input['ca'] !== '') {
    $agencystack_file = tempnam(sys_get_temp_dir(), 'ca');
    file_put_contents($agencystack_file, $agencystack_input['ca']);
    register_shutdown_function('unlink', $agencystack_file);
    $agencystack_tls['cafile'] = $agencystack_file;
}
$agencystack_warned = '';
set_error_handler(function ($number, $text) use (&$agencystack_warned) {
    $agencystack_warned = trim($agencystack_warned . ' ' . $text);
    return true;
});
$agencystack_fail = function ($stage) use ($agencystack_smtp, $agencystack_last, &$agencystack_warned) {
    $error = $agencystack_smtp->getError();
    $text = trim($error['error'] . ' ' . $error['detail']);
    if ($stage === 'tls') {
        $text = trim($text . ' ' . $agencystack_warned);
    }
    $agencystack_last($stage, $error['smtp_code'], $text);
};
$agencystack_implicit = $agencystack_input['secure'] === 'ssl';
$agencystack_scheme = $agencystack_implicit ? 'ssl://' : '';
if (!$agencystack_smtp->connect($agencystack_scheme . $agencystack_host, $agencystack_port, 15, array('ssl' => $agencystack_tls))) {
    if ($agencystack_implicit) {
        // PHPMailer does not hand on why.
        stream_socket_client("ssl://$agencystack_host:$agencystack_port", $agencystack_number, $agencystack_text, 15, STREAM_CLIENT_CONNECT, stream_context_create(array('ssl' => $agencystack_tls)));
    }
    $agencystack_fail($agencystack_implicit ? 'tls' : 'connect');
}
if (!$agencystack_smtp->hello($agencystack_input['helo'])) {
    $agencystack_fail('hello');
}
if (!$agencystack_implicit && (!$agencystack_smtp->startTLS() || !$agencystack_smtp->hello($agencystack_input['helo']))) {
    $agencystack_fail('tls');
}
if (!$agencystack_smtp->authenticate($agencystack_input['user'], $agencystack_input['password'], 'PLAIN')) {
    $agencystack_fail('login');
}
if (!$agencystack_smtp->mail($agencystack_input['envelope'])) {
    $agencystack_fail('sender');
}
// Postfix refuses a sender no earlier.
if (!$agencystack_smtp->recipient($agencystack_input['user'])) {
    $agencystack_fail('recipient');
}
$agencystack_smtp->reset();
$agencystack_smtp->quit();
$agencystack_last('', 0, '');
