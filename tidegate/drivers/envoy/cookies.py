"""Reads the id out of the sticky cookie for the task's header: no formatter of Envoy can.

The filter sleeps on every request but those that a route recognised by their cookie.
"""

from __future__ import annotations

from tidegate.drivers.envoy import names
from tidegate.drivers.envoy.resource import TYPE, Json

_NAME = "envoy.filters.http.header_to_metadata"
_CONFIG = TYPE + "envoy.extensions.filters.http.header_to_metadata.v3.Config"


def cookie_filter() -> Json:
    """The filter as the port has it: asleep."""
    return {"name": _NAME, "typed_config": {"@type": _CONFIG}, "disabled": True}


def cookie_reading(cookie: str) -> Json:
    """Wakes it in a route, for this cookie."""
    found = {"metadata_namespace": names.METADATA, "key": "id", "type": "STRING"}
    return {_NAME: {"@type": _CONFIG, "request_rules": [{"cookie": cookie, "on_header_present": found}]}}
