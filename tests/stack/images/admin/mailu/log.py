"""The web server's log."""
import logging

from gunicorn import glogging


class Quiet(logging.Filter):
    """No access lines for the health check and for rspamd's polling; for direct requests (HTTP/1.1) only when debugging."""

    def filter(self, record):
        line = record.args["r"]
        direct = line.endswith(" HTTP/1.1")
        return not (direct and (logging.getLogger("gunicorn.access").getEffectiveLevel() > logging.DEBUG
                                or line.endswith((" /ping HTTP/1.1", " /internal/rspamd/local_domains HTTP/1.1"))))


class Logger(glogging.Logger):
    def setup(self, cfg):
        super().setup(cfg)
        logging.getLogger("gunicorn.access").addFilter(Quiet())
