"""read_settings.py KIND FILE…: prints what a program finds in settings of that kind, as a JSON list with an item for each file."""

import email.utils
import json
import sys


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def read_yaml(path):
    import yaml
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)


def read_toml(path):
    import tomllib
    with open(path, "rb") as file:
        return tomllib.load(file)


def read_properties(path):
    import javaproperties
    with open(path, "rb") as file:
        return javaproperties.load(file)


def read_dotenv(path):
    """With what Docker Compose v1 reads."""
    import dotenv
    return dotenv.dotenv_values(path, encoding="utf-8", interpolate=True)


def read_addresses(path):
    """Lines with an address each."""
    with open(path, encoding="utf-8") as file:
        return [email.utils.parseaddr(line) for line in file.read().split("\n")[:-1]]


READERS = {name[5:]: reader for name, reader in list(globals().items()) if name.startswith("read_")}
print(json.dumps([READERS[sys.argv[1]](path) for path in sys.argv[2:]]))
