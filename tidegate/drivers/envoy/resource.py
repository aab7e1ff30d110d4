"""The form of every file that Envoy watches: a DiscoveryResponse whose version is the hash of its content.

The version is what Envoy acknowledges, so equal content is equal to Envoy and to us, also after either was restarted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import xxhash

Json = dict[str, Any]

TYPE = "type.googleapis.com/"


@dataclass(frozen=True, slots=True)
class File:
    """A file's text, and the version in it that Envoy will acknowledge."""

    text: str
    version: str


def response(resources: Sequence[Json]) -> File:
    """The file for these resources, on one line: of a thousand services it is written in milliseconds."""
    content = json.dumps(resources, sort_keys=True, separators=(",", ":"))
    version = xxhash.xxh3_128_hexdigest(content.encode())
    return File(f'{{"version_info":"{version}","resources":{content}}}\n', version)


def version_of(text: str) -> str:
    """The version that a file of ours carries, "" when it is broken."""
    try:
        return str(json.loads(text)["version_info"])
    except (ValueError, KeyError, TypeError):
        return ""


def file_source(path: str) -> Json:
    """Says that a resource comes from this file, which is read again whenever it is replaced by rename."""
    return {"resource_api_version": "V3", "path_config_source": {"path": path}}


def seconds(span: timedelta) -> str:
    """A protobuf duration: `1.5s`."""
    micros = span // timedelta(microseconds=1)
    whole, rest = divmod(micros, 1_000_000)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".") + "s"
