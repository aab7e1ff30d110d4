"""Lost answers, throttling and errors, before and after AppConfig, AppConfigData and CloudWatch did what they were asked: on
the wire, between boto3 and ministack. What is asked for in a whole release is learned from one in which nothing goes wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from tests.support.appconfig_place import make_place, quick_ministack
from tests.support.appconfig_story import STAGES, Story, clients
from tests.support.fault_proxy import Fault, FaultProxy, Wrong

pytestmark = pytest.mark.real
SERVICES = ("APPCONFIG", "APPCONFIGDATA", "CLOUDWATCH")
MANY = 4
"""More than boto3 tries a usual call."""
AT_ONCE = 10
"""Stories that are told beside each other: they wait most of the time."""
EVERY_WAY = [(wrong, times) for wrong in Wrong for times in (1, MANY)]
Faults = dict[str, Fault]
"""By the stage at whose beginning they begin."""
Asked = dict[str, set[str]]
"""Operations by stage."""
Tell = Callable[[Sequence[Faults]], list[Asked]]


@pytest.fixture(scope="module")
def quicker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with quick_ministack(tmp_path_factory.mktemp("quicker"), 0.3) as url:
        yield url


@pytest.fixture
def tell(quicker_url: str, keys: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Tells the story once for each of these faults, each behind a proxy of its own."""

    def point(url: str) -> None:
        for service in SERVICES:
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", url)

    homes = count()

    def begin(faults: Faults) -> Callable[[], Asked]:
        proxy = FaultProxy({}, otherwise=quicker_url)
        point(proxy.url)
        calls = clients()
        point(quicker_url)
        story = Story(tmp_path / str(next(homes)), make_place(), proxy, calls)

        def run() -> Asked:
            with proxy:
                return {stage: set(asked) for stage, asked in story.tell(faults).items()}

        return run

    def tell(cases: Sequence[Faults]) -> list[Asked]:
        told: list[Asked] = []
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while len(told) < len(cases):
                begun = range(len(told), min(len(told) + AT_ONCE, len(cases)))
                some = [begin(cases[number]) for number in begun]
                told += [done.result() for done in [pool.submit(story) for story in some]]
        return told

    return tell


def test_a_release_of_flags_ends_rightly_when_every_call_goes_wrong_in_turn(tell: Tell) -> None:
    """Each operation of each stage, once in all ways and often in one; the nightly form takes them one by one, often in all."""
    ways = [*((wrong, 1) for wrong in Wrong), (Wrong.LOST, MANY)]
    tell([{stage: Fault("", 1, wrong, times) for stage in STAGES} for wrong, times in ways])


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_a_release_of_flags_ends_rightly_whatever_single_call_goes_wrong(
    tell: Tell, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every operation that a whole release asks for, at every stage."""
    calm = tell([{}])[0]
    cases = [
        {stage: Fault(operation, 1, wrong, times)}
        for stage, asked in calm.items()
        for operation in sorted(asked)
        for wrong, times in EVERY_WAY
    ]
    tell(cases)
    with capsys.disabled():
        print(f"\n  {len(cases)} faults at {len(set().union(*calm.values()))} operations")  # noqa: T201 - for who runs it
