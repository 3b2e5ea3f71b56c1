$agencystack_old = get_option('wp_mail_smtp');
$agencystack_old = is_array($agencystack_old) ? $agencystack_old : array();
$agencystack_active = (array) get_option('active_plugins', array());
if (is_multisite()) {
    $agencystack_active = array_merge($agencystack_active, array_keys((array) get_site_option('active_sitewide_plugins', array())));
}
$agencystack_mail = new ReflectionFunction('wp_mail');
agencystack_answer(array(
    'wordpress' => (string) $GLOBALS['wp_version'],
    'php' => PHP_VERSION,
    'home' => home_url(),
    'content' => (string) realpath(WP_CONTENT_DIR),
    // Not yet there, it has no real path.
    'mu_plugins' => WPMU_PLUGIN_DIR,
    'plugins' => array_values($agencystack_active),
    'wpms_on' => defined('WPMS_ON') && (bool) WPMS_ON,
    'wpms_host' => defined('WPMS_SMTP_HOST') ? (string) WPMS_SMTP_HOST : '',
    'mode' => function_exists('agencystack_mail_mode') ? agencystack_mail_mode() : '',
    'wp_mail' => realpath($agencystack_mail->getFileName()) === realpath(ABSPATH . WPINC . '/pluggable.php') ? '' : (string) $agencystack_mail->getFileName(),
    'their_mailer' => isset($agencystack_old['mail']['mailer']) ? (string) $agencystack_old['mail']['mailer'] : '',
    'their_host' => isset($agencystack_old['smtp']['host']) ? (string) $agencystack_old['smtp']['host'] : '',
    'dead_option' => get_option('wp_mail_smtp_options') !== false,
));
