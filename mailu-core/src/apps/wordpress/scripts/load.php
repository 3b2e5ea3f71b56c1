error_reporting(E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR);
foreach (array('HTTP_HOST', 'SERVER_NAME') as $agencystack_key) {
    $_SERVER[$agencystack_key] = $agencystack_input['domain'];
}
$_SERVER += array('REQUEST_METHOD' => 'GET', 'REQUEST_URI' => '/', 'SERVER_PROTOCOL' => 'HTTP/1.1', 'REMOTE_ADDR' => '127.0.0.1', 'HTTPS' => 'on');
require $agencystack_input['docroot'] . '/wp-load.php';
