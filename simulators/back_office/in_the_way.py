"""Who answers in the place of the back office: gateways, portals, proxies, a moved address."""

from __future__ import annotations

import gzip
import json

from simulators.back_office.faults import FaultAnswer
from simulators.back_office.graphql import HttpAnswer

_HTML = "text/html; charset=utf-8"
_PAGE = b"<!doctype html><title>Service Unavailable</title><h1>Please come back later</h1>"
_PROBLEM = {"type": "about:blank", "title": "Service Unavailable", "status": 503}

IN_THE_WAY: dict[FaultAnswer, HttpAnswer] = {
    FaultAnswer.HTML_503: HttpAnswer(503, _PAGE, _HTML),
    FaultAnswer.GZIP_503: HttpAnswer(
        503, gzip.compress(_PAGE, mtime=0), _HTML, (("Content-Encoding", "gzip"),)
    ),
    # Source: RFC 9457.
    FaultAnswer.PROBLEM_503: HttpAnswer(
        503, json.dumps(_PROBLEM).encode(), "application/problem+json"
    ),
    FaultAnswer.MOVED_307: HttpAnswer(
        307, b"", _HTML, (("Location", "https://maintenance.example/api/graphql"),)
    ),
    FaultAnswer.PORTAL_302: HttpAnswer(
        302, b"", _HTML, (("Location", "http://portal.example/login"),)
    ),
    FaultAnswer.NOT_FOUND_404: HttpAnswer(404, b"<h1>404 Not Found</h1>", _HTML),
    FaultAnswer.PROXY_407: HttpAnswer(
        407, b"<h1>Who are you?</h1>", _HTML, (("Proxy-Authenticate", "Basic"),)
    ),
}
"""What each says; none of it comes from the back office, which never saw the request."""
