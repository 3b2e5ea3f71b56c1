foreach (is_multisite() ? get_sites(array('fields' => 'ids', 'number' => 0)) : array(0) as $agencystack_site) {
    $agencystack_site ? delete_blog_option($agencystack_site, 'agencystack_mail_last') : delete_option('agencystack_mail_last');
}
agencystack_answer(array('forgotten' => true));
