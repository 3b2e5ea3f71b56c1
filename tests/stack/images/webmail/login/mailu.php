<?php

/**
 * Roundcube without a login of its own: front names the user and a short-lived password in two headers, on sso.php only.
 */
class mailu extends rcube_plugin
{
    public $noajax = true;

    function init()
    {
        $this->add_texts('localization/', false);
        $hooks = ['startup' => 'begin', 'authenticate' => 'credentials', 'login_after' => 'inbox', 'login_failed' => 'again', 'logout_after' => 'bye'];
        foreach ($hooks as $hook => $method) {
            $this->add_hook($hook, [$this, $method]);
        }
    }

    /** Without a session every page is an attempt to log in. With one, a button leads to the administration. */
    function begin($args)
    {
        $rcmail = rcmail::get_instance();
        if ($rcmail->config->get('show_mailu_button', false) && !$rcmail->output->framed) {
            $this->add_button([
                'type' => 'link',
                'label' => 'mailu.mailu',
                'class' => 'button-mailu',
                'innerclass' => 'button-inner',
                'href' => $rcmail->config->get('support_url'),
            ], 'taskbar');
        }
        if (empty($_SESSION['user_id'])) {
            $args['action'] = 'login';
        }
        return $args;
    }

    function credentials($args)
    {
        if (!isset($_SERVER['HTTP_X_REMOTE_USER'], $_SERVER['HTTP_X_REMOTE_USER_TOKEN'])) {
            // Only with the webmail at `/` does this end; anywhere else the path is longer, and the browser goes round and round.
            if ($_SERVER['PHP_SELF'] == '/sso.php') {
                http_response_code(403);
                exit('front named no user');
            }
            $this->go('sso.php');
        }
        return array_merge($args, [
            'user' => $_SERVER['HTTP_X_REMOTE_USER'],
            'pass' => $_SERVER['HTTP_X_REMOTE_USER_TOKEN'],
            'cookiecheck' => false,
            'valid' => true,
        ]);
    }

    function inbox($args)
    {
        $this->go('index.php');
    }

    function again($args)
    {
        $this->go('sso.php');
    }

    function bye($args)
    {
        $this->go(rcmail::get_instance()->config->get('sso_logout_url'));
    }

    private function go($where)
    {
        header("Location: $where", true, 302);
        exit;
    }
}
