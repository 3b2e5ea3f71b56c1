"""A stand-in for Mailu's admin service, of the 2024.06 series: same paths, tables, log lines and refusals, none of its code."""
import hashlib
import hmac

import flask
from werkzeug.middleware.proxy_fix import ProxyFix

from . import config, sessions, store
from .limiter import limiter


def create_app():
    from . import api, auth, base, lookups, manage, ui

    app = flask.Flask("mailu", static_folder=None)
    app.cli.add_command(manage.mailu)
    app.cli.add_command(manage.db)
    app.config.update(config.load())
    app.secret_key = app.config["SECRET_KEY"]
    app.keys = {name: hmac.digest(app.secret_key.encode(), name.encode(), hashlib.sha256)
                for name in ("DEVICE_COOKIE_KEY", "SRS_KEY", "TRUNCATED_PW_KEY")}
    with app.app_context():
        sessions.setup(app)
        limiter.setup(app)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1)
    app.logger.setLevel(app.config["LOG_LEVEL"])
    app.teardown_appcontext(store.close)
    app.get("/ping")(lambda: "")
    app.register_blueprint(ui.views, url_prefix=app.config["WEB_ADMIN"])
    app.register_blueprint(base.views, url_prefix="/sso")
    for module in (auth, lookups):
        app.register_blueprint(module.views, url_prefix="/internal")
    api.register(app)
    return app
