<?php
// read_settings.php FILE…: prints the configuration in each of them, as Nextcloud includes its files, as a JSON list.
function read(string $path): array {
    include $path;
    return $CONFIG;
}
echo json_encode(array_map('read', array_slice($argv, 1)), JSON_THROW_ON_ERROR);
