#!/usr/bin/env python3
"""Rspamd as Mailu configures it: waits for admin, however long that takes."""
import glob
import logging
import os
import shutil
import subprocess
import time

import requests
import settings
import standin

LOCAL = "/etc/rspamd/local.d"
USER = "_rspamd"


def main():
    env = standin.set_env(coerce=True)
    files = settings.files(env)
    for name, text in files.items():
        with open(os.path.join(LOCAL, name), "w", encoding="utf-8") as file:
            file.write(text)
    for path in glob.glob("/overrides/*"):
        name = os.path.basename(path)
        if name not in files or name == "forbidden_file_extension.map":
            shutil.copyfile(path, os.path.join(LOCAL, name))

    url = f"http://{env['ADMIN_ADDRESS']}:8080/internal/rspamd/local_domains"
    while not ready(url):
        logging.warning("Admin is not up just yet, retrying in 1 second")

    os.makedirs("/run/rspamd", mode=0o755, exist_ok=True)
    shutil.chown("/run/rspamd", USER, USER)
    # As Mailu: what has `/filter` in its path keeps its owner.
    for folder, _, names in os.walk("/var/lib/rspamd"):
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            if "/filter" not in path:
                shutil.chown(path, USER, USER)
    standin.run(subprocess.Popen(["rspamd", "-f", "-u", USER, "-g", USER]), patience=1.0)


def ready(url):
    time.sleep(1)
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


if __name__ == "__main__":
    main()
