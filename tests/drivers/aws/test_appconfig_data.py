"""AppConfigData, by ministack: sessions whose tokens are good for one call each."""

from __future__ import annotations

import pytest

from tests.support.appconfig_place import Place, make_place
from tidegate.core.errors import Invalid, NotFound, Unreachable
from tidegate.drivers.aws.appconfig_data import AppConfigData
from tidegate.drivers.aws.call import Answer, Call
from tidegate.drivers.aws.calls import Calls

pytestmark = pytest.mark.real
AT_ONCE = "AppConfig.AllAtOnce"


class Losing:
    """Loses the answer to the `at`-th GetLatestConfiguration, when AWS has given it."""

    def __init__(self, at: int = 0) -> None:
        self.real, self.at = Calls(), at
        self.asked: list[str] = []

    def do(self, call: Call) -> Answer:
        self.asked.append(call.operation)
        answer = self.real.do(call)
        if call.operation == "get_latest_configuration" and self.asked.count(call.operation) == self.at:
            raise Unreachable(f"{call} was not answered.")
        return answer


@pytest.fixture
def place(appconfig_at: str) -> Place:
    return make_place()


def test_a_session_goes_on_with_the_token_that_it_was_given_last(place: Place) -> None:
    place.deploy(b'{"one":1}', AT_ONCE)
    caller = Losing()
    source = AppConfigData(f"{place.name}/prod/flags", caller, poll=1.0)
    fetched = source.fetch()
    assert (fetched.content, fetched.again) == (b'{"one":1}', 15.0), "AppConfig lets nobody ask sooner"
    assert [source.fetch().content for _ in range(3)] == [b"", b"", b""]
    assert caller.asked.count("start_configuration_session") == 1


def test_a_lost_answer_costs_a_session_and_no_document(place: Place) -> None:
    place.deploy(b'{"one":1}', AT_ONCE)
    caller = Losing(at=2)
    source = AppConfigData(f"{place.name}/prod/flags", caller)
    source.fetch()
    with pytest.raises(Unreachable):
        source.fetch()
    assert source.fetch().content == b'{"one":1}', "its token was used: the next session is given all of it"
    assert caller.asked.count("start_configuration_session") == 2


def test_where_nothing_is_deployed_that_is_said_until_something_is(place: Place) -> None:
    source = AppConfigData(f"{place.application}/{place.environment}/{place.profile}", Losing())
    with pytest.raises(NotFound, match="nothing deployed"):
        source.fetch()
    place.deploy(b'{"one":1}', AT_ONCE)
    assert source.fetch().content == b'{"one":1}'


def test_names_that_are_not_there_are_said(place: Place) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        AppConfigData(f"{place.name}/prod/nowhere", Losing()).fetch()
    with pytest.raises(Invalid, match="no place in AppConfig"):
        AppConfigData("shop/prod", Losing())
