"""A role that is assumed: boto3's own credentials that renew themselves, a quarter of an hour before they end.

STS is asked when something is asked for as the role, never before; and with the limits of any other call, for whoever asks
waits for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import botocore.session  # type: ignore[import-untyped]  # botocore carries no types
from botocore.credentials import (  # type: ignore[import-untyped]  # nor here
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)

from tidegate.core.access import Access
from tidegate.core.errors import Unreachable

METHOD = "assume-role"
_AT_ONCE = 10**9
"""Seconds before the end from which the fetcher asks STS anew: it is only asked when it is time, and shall keep nothing."""

Clock = Callable[[], datetime]


def now() -> datetime:
    return datetime.now(UTC)


def as_role(access: Access, config: Any, clock: Clock = now) -> Any:
    """A session of botocore that asks as the role of this access, which is assumed with what botocore finds by itself."""
    # It writes a traceback for each failure, which is raised besides, and told.
    logging.getLogger("botocore.credentials").addHandler(logging.NullHandler())
    logging.getLogger("botocore.credentials").propagate = False
    finds, assumed = _session(access), _session(access)
    assumed.register_component("credential_provider", CredentialResolver([_Assumed(finds, access, config, clock)]))
    return assumed


def _session(access: Access) -> Any:
    session = botocore.session.get_session()
    if access.region:
        session.set_config_variable("region", access.region)
    return session


class _Assumed(CredentialProvider):  # type: ignore[misc]  # botocore carries no types
    """What a session of botocore asks for its credentials, once."""

    METHOD = METHOD

    def __init__(self, finds: Any, access: Access, config: Any, clock: Clock) -> None:
        super().__init__()
        self._finds, self._access, self._config, self._clock = finds, access, config, clock

    def load(self) -> Any:
        """None where botocore finds none: then it says so, as ever."""
        own = self._finds.get_credentials()
        if own is None:
            return None
        fetcher = AssumeRoleCredentialFetcher(
            partial(self._finds.create_client, config=self._config),
            own,
            self._access.role,
            extra_args={"RoleSessionName": self._access.session},
            expiry_window_seconds=_AT_ONCE,
        )
        renew = partial(_renewed, fetcher.fetch_credentials, self._clock)
        return DeferredRefreshableCredentials(renew, METHOD, time_fetcher=self._clock)


def _renewed(fetch: Callable[[], Mapping[str, Any]], clock: Clock) -> Mapping[str, Any]:
    """Raises Unreachable for credentials that are over already, which botocore would take for a mistake of the program."""
    fresh = fetch()
    end = datetime.fromisoformat(str(fresh["expiry_time"]))
    if end <= clock():
        raise Unreachable(
            f"STS gave credentials that ended at {end.isoformat()}, and here it is {clock().isoformat(timespec='seconds')}.",
            "Set the clock of this machine right.",
        )
    return fresh
