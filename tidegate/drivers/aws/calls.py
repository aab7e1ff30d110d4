"""Sends requests to AWS. The only file that imports boto3, beside `role.py`, which has roles assumed by botocore; credentials,
profiles, regions and endpoints are as boto3 has them.

What AWS says no to is Refused, what it does not know NotFound; throttling, trouble of its own and silence are Unreachable.
"""

from __future__ import annotations

import threading
from typing import Any

import boto3  # type: ignore[import-untyped]  # boto3 carries no types
from botocore.config import Config  # type: ignore[import-untyped]  # nor does botocore
from botocore.exceptions import (  # type: ignore[import-untyped]  # nor does botocore
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)

from tidegate.core.access import HERE, Access
from tidegate.core.errors import Conflict, NotFound, Refused, TidegateError, Unreachable
from tidegate.drivers.aws.call import Answer, Call, Manner
from tidegate.drivers.aws.role import Clock, as_role, now

ATTEMPTS = {Manner.USUAL: 3, Manner.ONCE: 1, Manner.PATIENT: 8}
"""In boto3's standard mode, with growing pauses of up to 20 s: 8 wait out about a minute of throttling."""
_TIMEOUT = {Manner.USUAL: 5, Manner.ONCE: 10, Manner.PATIENT: 5}
"""Seconds for connecting, and again for the answer; shorter than the lease of a rollout."""

_WAIT = (
    "Throttl",
    "RequestLimitExceeded",
    "TooManyRequests",
    "ServiceUnavailable",
    "InternalFailure",
    "InternalError",
    "Timeout",
)
_NOT_THERE = ("NotFound", "DoesNotExist", "NoSuch")
_DENIED = ("AccessDenied", "UnauthorizedOperation", "NotAuthorized")
_NOT_US = ("ExpiredToken", "InvalidClientTokenId", "UnrecognizedClient", "SignatureDoesNotMatch", "AuthFailure")


class Calls:
    """Implements call.Caller for one access. Clients are made when they are needed, and shared by all threads."""

    def __init__(self, access: Access = HERE, clock: Clock = now) -> None:
        self._access = access
        self._clock = clock
        self._session: Any = None
        self._clients: dict[tuple[str, Manner], Any] = {}
        self._lock = threading.Lock()

    @property
    def region(self) -> str:
        """The one that is asked; "" when nobody says. Raises Refused."""
        with self._lock:
            try:
                return str(self._opened().region_name or "")
            except BotoCoreError as error:
                raise _told(Call("sts", "get_caller_identity"), error, self._access) from error

    def do(self, call: Call) -> Answer:
        try:
            client = self._client(call.service, call.manner)
            answer: Answer = getattr(client, call.operation)(**call.parameters)
        except (BotoCoreError, ClientError) as error:
            raise _told(call, error, self._access) from error
        return answer

    def _client(self, service: str, manner: Manner) -> Any:
        with self._lock:
            if (service, manner) not in self._clients:
                self._clients[service, manner] = self._opened().client(service, config=_patience(manner))
            return self._clients[service, manner]

    def _opened(self) -> Any:
        if self._session is None:
            access = self._access
            role = as_role(access, _patience(Manner.USUAL), self._clock) if access.role else None
            self._session = boto3.session.Session(region_name=access.region or None, botocore_session=role)
        return self._session


def _patience(manner: Manner) -> Config:
    return Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS[manner]},
        connect_timeout=_TIMEOUT[manner],
        read_timeout=_TIMEOUT[manner],
    )


def _told(call: Call, error: BotoCoreError | ClientError, access: Access) -> TidegateError:
    match error:
        case ClientError() if access.role and error.operation_name == "AssumeRole":
            return _not_assumed(error, access)
        case ClientError():
            return _answered(call, error)
        case NoCredentialsError() | PartialCredentialsError() | CredentialRetrievalError() | ProfileNotFound():
            return Refused(
                f"There are no credentials for {call}: {_said(error)}", "Give the controller some, as for the AWS CLI."
            )
        case NoRegionError():
            return Refused(
                f"Nobody says in which region {call} is meant.",
                "Set AWS_DEFAULT_REGION for the controller, or a region in its profile.",
            )
        case ParamValidationError():
            return Refused(f"{call} cannot be asked like this: {_said(error)}", "Correct what it is made of.")
        case ConnectionError() | HTTPClientError():
            return Unreachable(f"{call} was not answered: {_said(error)}")
        case _:
            return Unreachable(f"{call} failed on the way: {_said(error)}")


def _not_assumed(error: ClientError, access: Access) -> TidegateError:
    """Why all calls that should have been made as the role cannot be made."""
    told = _answered(Call("sts", "assume_role"), error)
    if isinstance(told, Unreachable) or not any(word in _code(error) for word in _DENIED):
        return told
    return Refused(
        f"AWS does not let us assume the role {access.role}: {_message(error)}",
        "The role has to trust whoever runs the controller, and he needs sts:AssumeRole for it: tidegate aws plan prints both.",
    )


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _message(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", "")).strip()[:300] or _code(error)


def _answered(call: Call, error: ClientError) -> TidegateError:
    code, said = _code(error), _message(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status >= 500 or any(word in code for word in _WAIT):
        return Unreachable(f"{call} was answered with {code}: {said}")
    if any(word in code for word in _NOT_THERE):
        return NotFound(f"{call}: {said}", "Correct its name, or make it.")
    if "Conflict" in code:
        return Conflict(f"{call} collides with what is there: {said}", "Wait for it, or look what it is.")
    if any(word in code for word in _DENIED):
        return Refused(f"AWS does not allow {call}: {said}", f"Give the controller's role the permission for {call}.")
    if any(word in code for word in _NOT_US):
        return Refused(f"AWS does not take our credentials for {call}: {said}", "Renew the controller's credentials.")
    return Refused(f"{call} is refused with {code}: {said}", "Correct what it asks for.")


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
