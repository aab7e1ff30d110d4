"""The weights of all services: one small file, read into Envoy's runtime in milliseconds whatever else is configured.

Both weights of a service stand in one file, so that no request sees one without the other.
"""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.core.exposure import WHOLE, Exposure
from tidegate.drivers.envoy import names
from tidegate.drivers.envoy.resource import TYPE, Json


def weights(exposures: Mapping[str, Exposure]) -> list[Json]:
    """The runtime layer that gives each service's candidate its share."""
    layer: Json = {}
    for service, exposure in exposures.items():
        layer[names.weight_key(service, names.CANDIDATE)] = int(exposure)
        layer[names.weight_key(service, names.STABLE)] = WHOLE - int(exposure)
    return [{"@type": TYPE + "envoy.service.runtime.v3.Runtime", "name": names.WEIGHTS, "layer": layer}]
