<?php
$CONFIG = array (
  'mail_smtpmode' => 'smtp',
  'mail_smtphost' => 'mail.example.com',
  'mail_smtpport' => 587,
  'mail_smtpsecure' => '',
  'mail_smtpauth' => true,
  'mail_smtpname' => 'app@xn--mnchen-3ya.de',
  'mail_smtppassword' => '0123456789abcdef0123456789abcdef',
  'mail_from_address' => 'app',
  'mail_domain' => 'xn--mnchen-3ya.de',
  'mail_smtptimeout' => 15,
);
