"""What every endpoint of the REST API does first: is the payload well formed, and is the token right."""
import hmac

import flask

from .accounts import config
from .limiter import limiter

TYPES = {"string": str, "boolean": bool, "array": list}


def fits(kind, value):
    if kind == "integer":
        return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
    return isinstance(value, TYPES[kind])


def errors(model, data):
    """Path to message, in the words of JSON schema. Unknown fields do not matter."""
    if not isinstance(data, dict):
        return {"": f"{data!r} is not of type 'object'"}
    found = {}
    for name, field in model.items():
        if name not in data:
            if field.required:
                found[name] = f"{name!r} is a required property"
            continue
        value = data[name]
        if not fits(field.kind, value):
            found[name] = f"{value!r} is not of type '{field.kind}'"
        elif field.minimum is not None and value < field.minimum:
            found[name] = f"{value} is less than the minimum of {field.minimum}"
        elif field.kind == "array":
            found.update({f"{name}.{at}": f"{item!r} is not of type 'string'" for at, item in enumerate(value) if not isinstance(item, str)})
    return found


def reply(data, status=200):
    return flask.Response(flask.json.dumps(data) + "\n", status, mimetype="application/json")


def told(code, message, status=None):
    return reply({"code": code, "message": message}, status or code)


def payload(model):
    """The request's JSON, or the answer that refuses it."""
    request = flask.request
    if not request.is_json:
        return None, reply({"message": "Did not attempt to load JSON data because the request Content-Type was not 'application/json'."}, 415)
    data = request.get_json(silent=True)
    if data is None and request.get_data().strip() != b"null":
        return None, reply({"message": "The browser (or proxy) sent a request that this server could not understand."}, 400)
    found = errors(model, data)
    return data, reply({"errors": found, "message": "Input payload validation failed"}, 400) if found else None


def refused():
    """None, or why this client may not use the API."""
    ip = flask.request.headers.get("X-Real-IP", flask.request.remote_addr)
    given, token = flask.request.headers.get("Authorization"), config("API_TOKEN")
    if limiter.ip_blocked(ip):
        return reply({"message": "Too many attempts from your IP (rate-limit)"}, 429)
    if not given:
        return reply({"message": "A valid Authorization header is mandatory"}, 401)
    # Without a token in the configuration this is an error of its own: len(None).
    if len(token) < 4 or not hmac.compare_digest(given.removeprefix("Bearer ").encode(), token.encode()):
        limiter.hit_ip(ip)
        flask.current_app.logger.warning(f"Invalid API token provided by {ip}.")
        return reply({"message": "Invalid API token"}, 403)
    flask.current_app.logger.info(f"Valid API token provided by {ip}.")
    return None
