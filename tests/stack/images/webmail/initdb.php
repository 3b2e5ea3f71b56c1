<?php
// Creates Roundcube's tables; fails if they are there already. Debian leaves this to its package manager.
define('INSTALL_PATH', '/var/lib/roundcube/');
require_once INSTALL_PATH . 'program/include/clisetup.php';
rcmail_utils::db_init(INSTALL_PATH . 'SQL');
