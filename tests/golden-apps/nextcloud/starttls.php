<?php
$CONFIG = array (
  'mail_smtpmode' => 'smtp',
  'mail_smtphost' => 'mail.example.com',
  'mail_smtpport' => 587,
  'mail_smtpsecure' => '',
  'mail_smtpauth' => true,
  'mail_smtpname' => 'app-login@example.com',
  'mail_smtppassword' => '0123456789abcdef0123456789abcdef',
  'mail_from_address' => 'hello',
  'mail_domain' => 'example.com',
  'mail_smtptimeout' => 15,
);
