"""AppConfigData: what clients that were written for AWS AppConfig ask, with their endpoint pointed here.

    POST /configurationsessions                              StartConfigurationSession
    GET  /configuration?configuration_token=TOKEN            GetLatestConfiguration

A session has no users. It is one entity itself, with its own id as the targeting key: during a rollout it gets the new document
when its bucket lies below the exposure, and it goes back with its next poll. Flags are answered as the agent answers them to
whoever tells nothing else, in AppConfig's own form. A profile that is named like a flag whose values are mappings is a
free-form configuration: its value alone, as it was written.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NoReturn

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from tidegate.agent.answer import Ready, dump
from tidegate.agent.cache import View
from tidegate.api import sigv4
from tidegate.api.arguments import NAME
from tidegate.api.in_force import InForce
from tidegate.api.needs import ApiServices
from tidegate.api.peer import SCOPE_KEY, Peer
from tidegate.api.session_token import SessionToken, TokenSeal
from tidegate.core.environment import subject_of
from tidegate.core.errors import NotFound, TidegateError, Unreachable, quote
from tidegate.core.flags.appconfig import answer, is_free_form
from tidegate.core.flags.result import Result
from tidegate.core.flags.rule import TARGETING_KEY
from tidegate.engine.sessions import Poll

router = APIRouter(include_in_schema=False)

USUAL = 60
"""Seconds between two polls that are announced to who asked for none. AppConfig holds nobody to it, and no more do we."""
SHORTEST, LONGEST = 15, 86_400
EXPIRED = timedelta(hours=24)
SLACK = 0.5
"""Seconds that a client may come early, for clocks that are drawn straight."""
LONGEST_NAME = 128
_JSON = "application/json"
_NAME = re.compile(NAME)


class AwsError(Exception):
    """An error as AWS's clients know it: they make an exception of its code."""

    def __init__(self, status: int, code: str, message: str, **more: object) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.content = {"Message": message, **more}

    def response(self) -> Response:
        headers = {"x-amzn-errortype": self.code, "x-amzn-requestid": str(uuid.uuid4())}
        return JSONResponse(self.content, self.status, headers)


@router.post("/configurationsessions")
async def start_configuration_session(request: Request) -> Response:
    body = await request.body()
    return await _answered(request, body, lambda sessions: sessions.start(body))


@router.get("/configuration")
async def get_latest_configuration(request: Request) -> Response:
    tokens = request.query_params.getlist("configuration_token")
    call = request.headers.get("amz-sdk-invocation-id", "")[:100]
    return await _answered(request, b"", lambda sessions: sessions.poll(tokens, call))


async def _answered(request: Request, body: bytes, work: Callable[[ConfigurationSessions], Response]) -> Response:
    services: ApiServices = request.app.state.services
    try:
        _admit(request, body, services.token, services.clock())
        return await run_in_threadpool(work, request.app.state.configuration_sessions)
    except AwsError as wrong:
        return wrong.response()
    except Unreachable as error:
        return AwsError(500, "InternalServerException", _say(error)).response()


def _admit(request: Request, body: bytes, secret: str, now: datetime) -> None:
    """Through the socket, with the token, or signed with it. Raises AwsError for everybody else."""
    peer = request.scope.get(SCOPE_KEY)
    if isinstance(peer, Peer) and peer.trusted:
        return
    if not isinstance(peer, Peer) or peer.rejected:
        raise AwsError(403, "UnrecognizedClientException", f"The token is wrong. {_HOW}")
    if "authorization" not in request.headers:
        raise AwsError(403, "MissingAuthenticationTokenException", f"The request is not signed. {_HOW}")
    path = request.scope.get("raw_path") or request.url.path.encode()
    asked = sigv4.Request(request.method, path.decode("latin-1"), request.scope["query_string"], request.headers.items(), body)
    try:
        sigv4.verify(asked, secret, now)
    except sigv4.Unsigned as error:
        raise AwsError(403, error.code, _say(error)) from error


_HOW = "Set AWS_ACCESS_KEY_ID=tidegate, and AWS_SECRET_ACCESS_KEY to what is in the file `token` of Tidegate's home."


def _say(error: TidegateError) -> str:
    return f"{error.what} {error.mend}"


class ConfigurationSessions:
    def __init__(self, services: ApiServices, in_force: InForce) -> None:
        self._flags = services.flags
        self._clock = services.clock
        self._in_force = in_force
        self._sessions = services.flags.agents.sessions
        self._seal = TokenSeal(services.token)

    def start(self, body: bytes) -> Response:
        """Raises AwsError."""
        content = _content(body)
        application, environment, profile = (_name(content, key) for key in _NAMES)
        required = _interval(content.get("RequiredMinimumPollIntervalInSeconds"))
        self._view(application, environment)
        token = SessionToken(
            session=secrets.token_hex(16),
            application=application,
            environment=environment,
            profile=profile,
            required=required,
            turn=0,
            number=self._sessions.take_number(),
            life=self._sessions.life,
            given=self._now(),
            digest="",
        )
        return JSONResponse({"InitialConfigurationToken": self._seal.write(token)}, 201)

    def poll(self, tokens: list[str], call: str) -> Response:
        """Raises AwsError. A token that is refused is not spent."""
        token = self._read(tokens)
        view = self._view(token.application, token.environment)
        body, digest, number = _configuration(view, token.profile, {TARGETING_KEY: token.session})
        announced = token.required or USUAL
        poll = Poll(
            session=token.session,
            subject=subject_of(token.application, token.environment),
            turn=token.turn,
            number=token.number,
            life=token.life,
            interval=timedelta(seconds=announced),
            call=call,
        )
        taken = self._sessions.take(poll)
        if taken is None:
            _refuse_token("Expired", "This token was used already. Use the one of the last answer, or start a new session.")
        given = replace(token, turn=token.turn + 1, number=taken, life=self._sessions.life, given=self._now(), digest=digest)
        headers = {
            "Next-Poll-Configuration-Token": self._seal.write(given),
            "Next-Poll-Interval-In-Seconds": str(announced),
            "Content-Type": _JSON,
            "Cache-Control": "no-store",
        }
        if digest == token.digest:
            return Response(b"", headers=headers)
        return Response(body, headers=headers | {"Version-Label": str(number)})

    def _read(self, tokens: list[str]) -> SessionToken:
        token = self._seal.read(tokens[0]) if len(tokens) == 1 else None
        if token is None:
            _refuse_token("Corrupted", "This is no token of a session here. Start a new session.")
        age = token.age(self._clock())
        if age >= EXPIRED.total_seconds():
            _refuse_token("Expired", "This token is older than 24 hours. Start a new session.")
        # A clock that was put back makes nobody wait.
        if token.turn and 0 <= age < token.required - SLACK:
            _refuse_token(
                "PollIntervalNotSatisfied",
                f"Request too early: this session asked for at least {token.required} s between two polls. "
                f"Come back in {token.required - age:.0f} s, with the same token.",
            )
        return token

    def _view(self, application: str, environment: str) -> View:
        try:
            if not (_NAME.fullmatch(application) and _NAME.fullmatch(environment)):
                raise NotFound("No application or environment is called so.", "Names are a-z, 0-9 and -.")
            return self._in_force.of(application, environment).view
        except NotFound as error:
            raise self._not_found(application, environment, error) from error

    def _not_found(self, application: str, environment: str, error: NotFound) -> AwsError:
        known = {(one.application, one.environment) for one in self._flags.glance.environments()}
        if (application, environment) in known:
            kind, named = "Deployment", {"ApplicationIdentifier": application, "EnvironmentIdentifier": environment}
        elif any(application == name for name, _ in known):
            kind, named = "Environment", {"EnvironmentIdentifier": environment}
        else:
            kind, named = "Application", {"ApplicationIdentifier": application}
        printable = {key: value.encode(errors="replace").decode() for key, value in named.items()}
        return AwsError(404, "ResourceNotFoundException", _say(error), ResourceType=kind, ReferencedBy=printable)

    def _now(self) -> int:
        return int(self._clock().timestamp() * 1000)


# --- What is served ---------------------------------------------------------------------------------------------------------


def _configuration(view: View, profile: str, context: dict[str, Any]) -> tuple[bytes, str, int]:
    """The configuration, what it is known by, and the number of the flag document that it comes from."""
    staged = view.staged
    if is_free_form(staged, profile, context):
        result = staged.evaluate(profile, context)
        body = dump(result.value if result.value is not None else {})
        return body, _digest(body), result.number
    results = tuple(staged.evaluate_all(context).values())
    return *view.plain.together(results, _flags), staged.for_whom(context).document.number


def _flags(results: Sequence[Result], ready: Ready) -> tuple[bytes, str]:
    """All flags as the agent answers them. Made once for all sessions that get the same."""
    flags = b",".join(dump(result.flag) + b":" + ready.of(result, answer) for result in results)
    body = b"{" + flags + b"}"
    return body, _digest(body)


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]


# --- What is asked ----------------------------------------------------------------------------------------------------------

_NAMES = ("ApplicationIdentifier", "EnvironmentIdentifier", "ConfigurationProfileIdentifier")


def _content(body: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise _bad("The body is no JSON object.")
    return content


def _name(content: Mapping[str, Any], key: str) -> str:
    value = content.get(key)
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_NAME:
        raise _bad(f"{key} is {quote(value)}, and must be a text of 1 to {LONGEST_NAME} characters.", **{key: "Corrupted"})
    return value


def _interval(value: object) -> int:
    """0 for none."""
    if value is None:
        return 0
    key = "RequiredMinimumPollIntervalInSeconds"
    if not isinstance(value, int) or isinstance(value, bool) or not SHORTEST <= value <= LONGEST:
        raise _bad(f"{key} is {quote(value)}, and must be {SHORTEST} to {LONGEST}.", **{key: "Corrupted"})
    return value


def _bad(message: str, **problems: str) -> AwsError:
    details = {"InvalidParameters": {key: {"Problem": problem} for key, problem in problems.items()}}
    return AwsError(400, "BadRequestException", message, Reason="InvalidParameters", Details=details)


def _refuse_token(problem: str, message: str) -> NoReturn:
    raise _bad(message, ConfigurationToken=problem)
