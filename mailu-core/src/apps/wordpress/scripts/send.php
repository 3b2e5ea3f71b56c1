$agencystack_seen = null;
$agencystack_why = '';
add_action('phpmailer_init', function ($phpmailer) use (&$agencystack_seen) {
    $agencystack_seen = $phpmailer;
}, PHP_INT_MAX);
add_action('wp_mail_failed', function ($error) use (&$agencystack_why) {
    $agencystack_why = $error->get_error_message();
});
$agencystack_mode = function_exists('agencystack_mail_mode') ? agencystack_mail_mode() : '';
$agencystack_settings = in_array($agencystack_mode, array('constants', 'hooks'), true) ? agencystack_mail_settings() : null;
$agencystack_ok = false;
if ($agencystack_settings === null) {
    $agencystack_why = '';
} elseif ($agencystack_input['to'] !== '') {
    $agencystack_ok = wp_mail($agencystack_input['to'], $agencystack_input['subject'], $agencystack_input['text'], array('X-Agency-Probe: ' . $agencystack_input['mark']));
} else {
    // As far as a message would get, without one.
    require_once ABSPATH . WPINC . '/PHPMailer/PHPMailer.php';
    require_once ABSPATH . WPINC . '/PHPMailer/SMTP.php';
    require_once ABSPATH . WPINC . '/PHPMailer/Exception.php';
    $agencystack_mailer = new PHPMailer\PHPMailer\PHPMailer(true);
    $agencystack_mailer->setFrom(apply_filters('wp_mail_from', 'wordpress@' . $agencystack_input['domain']), '', false);
    do_action_ref_array('phpmailer_init', array(&$agencystack_mailer));
    try {
        $agencystack_ok = $agencystack_mailer->Mailer === 'smtp' && $agencystack_mailer->smtpConnect();
        $agencystack_mailer->smtpClose();
    } catch (Exception $agencystack_error) {
        $agencystack_why = $agencystack_error->getMessage();
    }
}
$agencystack_field = function ($name) use (&$agencystack_seen) {
    return $agencystack_seen === null ? '' : (string) $agencystack_seen->$name;
};
agencystack_answer(array(
    'mode' => $agencystack_mode,
    'ok' => (bool) $agencystack_ok,
    'why' => (string) $agencystack_why,
    'mailer' => $agencystack_field('Mailer'),
    'host' => $agencystack_field('Host'),
    'port' => (int) $agencystack_field('Port'),
    'secure' => $agencystack_field('SMTPSecure'),
    'login' => $agencystack_field('Username'),
    'from' => $agencystack_field('From'),
    'sender' => $agencystack_field('Sender'),
    'message_id' => $agencystack_seen === null ? '' : (string) $agencystack_seen->getLastMessageID(),
    'current' => $agencystack_settings !== null && hash_equals($agencystack_input['secret'], hash('sha256', $agencystack_settings['password'])),
));
