"""AppConfigData, as the agent reads it: a session, whose tokens are good for one call each.

What a session was given stays with it: during a deployment AppConfig lets whole sessions in. So a session is kept as long as
its tokens are taken; one that was used already (its answer was lost) or is older than a day begins another one.
"""

from __future__ import annotations

from tidegate.core.errors import NotFound, Refused
from tidegate.core.flag_platform import parse_place
from tidegate.core.flags.fetched import Fetched
from tidegate.drivers.aws.call import Answer, Call, Caller, Manner

LEAST, MOST = 15, 86_400
"""Seconds between two polls that AppConfig takes."""


class AppConfigData:
    """Implements agent.fetching.Source for `APPLICATION/ENVIRONMENT/PROFILE`, each a name or an id."""

    def __init__(self, name: str, caller: Caller, poll: float = 45.0) -> None:
        self._names = parse_place(name)
        self._caller = caller
        self._poll = min(MOST, max(LEAST, round(poll)))
        self._token = ""

    @property
    def origin(self) -> str:
        return "appconfig:" + "/".join(self._names)

    def fetch(self) -> Fetched:
        if not self._token:
            return self._anew()
        try:
            answer = self._get()
        except NotFound:
            raise
        except Refused:  # the token was used or is too old
            return self._anew()
        return _fetched(answer)

    def _anew(self) -> Fetched:
        application, environment, profile = self._names
        wanted = {
            "ApplicationIdentifier": application,
            "EnvironmentIdentifier": environment,
            "ConfigurationProfileIdentifier": profile,
            "RequiredMinimumPollIntervalInSeconds": self._poll,
        }
        self._token = str(
            self._caller.do(Call("appconfigdata", "start_configuration_session", wanted))["InitialConfigurationToken"]
        )
        fetched = _fetched(self._get())
        if not fetched.content:
            raise NotFound(f"AppConfig has nothing deployed for {'/'.join(self._names)}.", "Deploy some flags first.")
        return fetched

    def _get(self) -> Answer:
        """Sent once: a second time the token would be taken for stolen."""
        answer = self._caller.do(
            Call("appconfigdata", "get_latest_configuration", {"ConfigurationToken": self._token}, Manner.ONCE)
        )
        self._token = str(answer["NextPollConfigurationToken"])
        return answer


def _fetched(answer: Answer) -> Fetched:
    return Fetched(answer["Configuration"].read(), float(answer.get("NextPollIntervalInSeconds") or LEAST))
