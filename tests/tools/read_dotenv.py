"""Prints an environment file as JSON, read by the library that Docker Compose v1 reads it with."""

import json
import sys

import dotenv

print(json.dumps(dotenv.dotenv_values(sys.argv[1], encoding="utf-8-sig", interpolate=True)))
