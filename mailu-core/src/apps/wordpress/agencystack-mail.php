<?php
/**
 * Plugin Name: AgencyStack Mail
 * Description: Sends this site's mail through its mail server. Written by `mailu integrate wordpress`, which also removes it; edits are not kept.
 * License: MIT
 *
 * The settings are not in this file: agencystack_mail_settings() reads them. Where WP Mail SMTP is active, they become its constants; where
 * somebody has set WPMS_ON in wp-config.php, nothing happens here at all. Runs on PHP 7.4 and later.
 */

if (!defined('ABSPATH')) {
    exit;
}

// A copy in another directory may be loaded, too.
if (!function_exists('agencystack_mail_mode')) {
    /** Before WP Mail SMTP, which filters senders at PHP_INT_MAX, and after everybody else. */
    define('AGENCYSTACK_MAIL_PRIORITY', PHP_INT_MAX - 1);

    /**
     * The settings: from the file that was written with this one; where there is none, from AGENCYSTACK_MAIL_HOST and so on in the environment.
     * Nothing unless host, user, password and sender are there. The file is read and not included: OPcache could go on with a password that
     * has been replaced.
     *
     * @return array<string, string>|null
     */
    function agencystack_mail_settings()
    {
        static $settings = false;
        if ($settings !== false) {
            return $settings;
        }
        $file = '@SETTINGS@';
        $found = null;
        if (@is_readable($file)) {
            $parts = explode("__halt_compiler();\n", (string) file_get_contents($file), 2);
            $found = isset($parts[1]) ? json_decode($parts[1], true) : null;
        }
        if (!is_array($found)) {
            $found = array();
            foreach (array('host', 'port', 'secure', 'user', 'password', 'from', 'from_name', 'envelope', 'helo', 'ca_file') as $key) {
                $value = getenv('AGENCYSTACK_MAIL_' . strtoupper($key));
                if (is_string($value) && $value !== '') {
                    $found[$key] = $value;
                }
            }
        }
        $settings = null;
        foreach (array('host', 'user', 'password', 'from') as $key) {
            if (!isset($found[$key]) || !is_string($found[$key]) || $found[$key] === '') {
                return $settings;
            }
        }
        $settings = array_merge(array('secure' => 'ssl', 'from_name' => '', 'envelope' => $found['from'], 'helo' => '', 'ca_file' => ''), $found);
        if (empty($settings['port'])) {
            $settings['port'] = $settings['secure'] === 'tls' ? 587 : 465;
        }
        return $settings;
    }

    /**
     * What this plugin does: `theirs` (nothing: WPMS_ON was set by somebody else), `unset` (nothing: there are no settings), `constants` (WP Mail
     * SMTP gets them), `hooks` (WordPress itself sends).
     *
     * @return string
     */
    function agencystack_mail_mode()
    {
        static $mode = null;
        if ($mode !== null) {
            return $mode;
        }
        if (defined('WPMS_ON') && WPMS_ON) {
            $mode = 'theirs';
        } elseif (agencystack_mail_settings() === null) {
            $mode = 'unset';
        } else {
            $active = (array) get_option('active_plugins', array());
            if (is_multisite()) {
                $active = array_merge($active, array_keys((array) get_site_option('active_sitewide_plugins', array())));
            }
            $smtp = array('wp-mail-smtp/wp_mail_smtp.php', 'wp-mail-smtp-pro/wp_mail_smtp.php');
            $mode = array_intersect($smtp, $active) ? 'constants' : 'hooks';
        }
        return $mode;
    }

    /** Tells WP Mail SMTP: its constants win over what it has in the database. */
    function agencystack_mail_define()
    {
        $settings = agencystack_mail_settings();
        $constants = array(
            'WPMS_ON' => true,
            'WPMS_MAILER' => 'smtp',
            'WPMS_MAIL_FROM' => $settings['from'],
            'WPMS_SET_RETURN_PATH' => true,
            'WPMS_SMTP_HOST' => $settings['host'],
            'WPMS_SMTP_PORT' => (int) $settings['port'],
            'WPMS_SSL' => $settings['secure'],
            'WPMS_SMTP_AUTH' => true,
            'WPMS_SMTP_AUTOTLS' => $settings['secure'] === 'tls',
            'WPMS_SMTP_USER' => $settings['user'],
            'WPMS_SMTP_PASS' => $settings['password'],
        );
        if ($settings['from_name'] !== '') {
            $constants['WPMS_MAIL_FROM_NAME'] = $settings['from_name'];
        }
        foreach ($constants as $name => $value) {
            if (!defined($name)) {
                define($name, $value);
            }
        }
    }

    /**
     * What was the sender of the message that is being made, if it was another; remembered until its PHPMailer is set up.
     *
     * @param array<string, string|null>|null $set
     * @return array<string, string|null>
     */
    function agencystack_mail_original($set = null)
    {
        static $original = array('address' => null, 'name' => null);
        if ($set !== null) {
            $original = array_merge($original, $set);
        }
        return $original;
    }

    /**
     * The sender. The server takes mail only from an address of the login's, and signs it only where the domain is its own: an address elsewhere,
     * such as a visitor's from a contact form, becomes ours, and gets the answers.
     *
     * @param string $address
     * @return string
     */
    function agencystack_mail_from($address)
    {
        $settings = agencystack_mail_settings();
        $at = strrpos((string) $address, '@');
        $local = strtolower(substr((string) $address, 0, (int) $at));
        $domain = strtolower(substr((string) $address, (int) $at + 1));
        $ours = strtolower(substr($settings['from'], (int) strrpos($settings['from'], '@') + 1));
        $own = in_array(strtolower((string) $address), array(strtolower($settings['from']), strtolower($settings['user'])), true);
        // What WordPress makes up, where nobody has a mailbox.
        $made_up = $local === 'wordpress' && !$own;
        if ($at !== false && $domain === $ours && !$made_up) {
            agencystack_mail_original(array('address' => null));
            return $address;
        }
        agencystack_mail_original(array('address' => $made_up || $at === false ? null : $address));
        return $settings['from'];
    }

    /**
     * The name beside it.
     *
     * @param string $name
     * @return string
     */
    function agencystack_mail_from_name($name)
    {
        $settings = agencystack_mail_settings();
        agencystack_mail_original(array('name' => (string) $name));
        return $settings['from_name'] !== '' && ($name === 'WordPress' || $name === '') ? $settings['from_name'] : $name;
    }

    /**
     * Where PHPMailer connects to, and how.
     *
     * @param PHPMailer\PHPMailer\PHPMailer $phpmailer
     */
    function agencystack_mail_init($phpmailer)
    {
        $settings = agencystack_mail_settings();
        $original = agencystack_mail_original();
        if ($original['address'] !== null && !$phpmailer->getReplyToAddresses()) {
            try {
                $phpmailer->addReplyTo($original['address'], $original['name'] === 'WordPress' ? '' : (string) $original['name']);
            } catch (Exception $error) {
                // An address that PHPMailer does not take could not have been answered either.
                unset($error);
            }
        }
        agencystack_mail_original(array('address' => null, 'name' => null));

        $helo = $settings['helo'];
        if ($helo === '') {
            $helo = (string) wp_parse_url(home_url(), PHP_URL_HOST);
        }
        if ($helo !== '') {
            // In EHLO and in the Message-ID; otherwise it is what the container is called.
            $phpmailer->Hostname = $helo;
        }
        $phpmailer->Sender = $settings['envelope'];
        $phpmailer->Timeout = 15;
        $tls = array('verify_peer' => true, 'verify_peer_name' => true, 'allow_self_signed' => false, 'peer_name' => $settings['host']);
        if ($settings['ca_file'] !== '') {
            $tls['cafile'] = $settings['ca_file'];
        }
        $options = is_array($phpmailer->SMTPOptions) ? $phpmailer->SMTPOptions : array();
        $options['ssl'] = $tls;
        $phpmailer->SMTPOptions = $options;
        if (function_exists('wp_mail_smtp')) {
            return;
        }
        $phpmailer->isSMTP();
        $phpmailer->Host = $settings['host'];
        $phpmailer->Port = (int) $settings['port'];
        $phpmailer->SMTPSecure = $settings['secure'] === 'tls' ? 'tls' : 'ssl';
        $phpmailer->SMTPAutoTLS = $settings['secure'] === 'tls';
        $phpmailer->SMTPAuth = true;
        $phpmailer->AuthType = 'PLAIN';
        $phpmailer->Username = $settings['user'];
        $phpmailer->Password = $settings['password'];
        $phpmailer->SMTPKeepAlive = false;
    }

    /**
     * Notes how the last message went, for whoever looks after the site: no recipient, no text, no secret.
     *
     * @param bool $ok
     * @param string $why
     */
    function agencystack_mail_note($ok, $why)
    {
        $settings = agencystack_mail_settings();
        $why = str_replace(array($settings['password'], base64_encode($settings['password'])), '***', $why);
        $why = (string) preg_replace('/[^\s<>:,;"\']+@[^\s<>:,;"\']+/', '(address)', $why);
        $why = function_exists('mb_substr') ? mb_substr($why, 0, 300) : substr($why, 0, 300);
        update_option('agencystack_mail_last', array('at' => gmdate('Y-m-d\TH:i:s\Z'), 'ok' => $ok, 'why' => $why), false);
    }

    /** Whoever wonders why the site's mail does not arrive finds this in PHP's log. */
    function agencystack_mail_without()
    {
        error_log('agencystack-mail: there are no settings, or PHP may not read them; the message goes out as if this plugin was not there');
    }

    /** @param array<string, mixed> $mail */
    function agencystack_mail_succeeded($mail)
    {
        unset($mail);
        agencystack_mail_note(true, '');
    }

    /** @param WP_Error $error */
    function agencystack_mail_failed($error)
    {
        agencystack_mail_note(false, is_wp_error($error) ? $error->get_error_message() : '');
    }

    if (agencystack_mail_mode() === 'constants') {
        agencystack_mail_define();
    }
    if (agencystack_mail_mode() === 'unset') {
        add_action('phpmailer_init', 'agencystack_mail_without', AGENCYSTACK_MAIL_PRIORITY);
    }
    if (in_array(agencystack_mail_mode(), array('constants', 'hooks'), true)) {
        add_filter('wp_mail_from', 'agencystack_mail_from', AGENCYSTACK_MAIL_PRIORITY);
        add_filter('wp_mail_from_name', 'agencystack_mail_from_name', AGENCYSTACK_MAIL_PRIORITY);
        add_action('phpmailer_init', 'agencystack_mail_init', AGENCYSTACK_MAIL_PRIORITY);
        add_action('wp_mail_succeeded', 'agencystack_mail_succeeded');
        add_action('wp_mail_failed', 'agencystack_mail_failed');
    }
}
