"""Lost answers, throttling and errors, before and after each call, on the wire between boto3 and a CodeDeploy that is a state
machine of ours and not AWS's. What is asked for in a whole release is learned from one in which nothing goes wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.codedeploy_server import CodeDeployServer
from tests.support.codedeploy_world import CodeDeployWorld
from tests.support.fault_proxy import Fault, FaultProxy, Wrong
from tidegate.core.errors import Unreachable
from tidegate.core.rollout import Phase
from tidegate.drivers.aws.calls import Calls

pytestmark = pytest.mark.real
LINEAR = {"linear": {"step": "50%", "every": "1m"}, "bake": "0s", "keep_baseline": "1s"}
AGAIN = {"linear": {"step": "25%", "every": "7m"}, "bake": "0s", "keep_baseline": "1s"}
ORDERS = 30
"""So often a person tries."""
MANY = 4
"""More than boto3 tries a usual call."""
Faults = dict[str, Fault]
"""By the stage at whose beginning they begin."""


class Story:
    """A first version, a good one, and one that a person takes back."""

    STAGES = ("order", "under way", "bad order", "back")

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.patch = home, monkeypatch

    def tell(self, faults: Faults) -> dict[str, set[str]]:
        """What was asked for in each stage."""
        self.home.mkdir()
        world = CodeDeployWorld(self.home)
        with CodeDeployServer(world.codedeploy) as ours, FaultProxy({}, otherwise=ours.url) as proxy:
            for service in ("CODEDEPLOY", "ECS"):
                self.patch.setenv(f"AWS_ENDPOINT_URL_{service}", proxy.url)
            world.caller.real = Calls()
            told, struck = {}, 0
            self._first(world)
            for stage, go in zip(self.STAGES, self._stages(world), strict=True):
                proxy.arm(faults.get(stage))
                go()
                told[stage] = set(proxy.asked)
                struck += proxy.struck
            proxy.arm(None)
            world.tidy()
            assert bool(struck) is bool(faults)
            assert ours.broken == []
        self._look(world, faults)
        return told

    @staticmethod
    def _first(world: CodeDeployWorld) -> None:
        world.codedeploy.keeps = 0
        world.release("v1", plan={"all_at_once": True, "bake": "0s"})
        world.seconds_until(lambda: world.rollout().phase is Phase.COMPLETED)
        world.tidy()
        world.seconds_until(lambda: world.codedeploy.going is None)
        world.codedeploy.keeps = 10

    def _stages(self, world: CodeDeployWorld) -> Iterator[Callable[[], None]]:
        yield lambda: self._order(world, "v2", LINEAR, 50)
        yield lambda: self._ends(world)
        yield lambda: self._order(world, "v3", AGAIN, 25)
        yield lambda: self._goes_back(world)

    @staticmethod
    def _order(world: CodeDeployWorld, version: str, plan: object, share: int) -> None:
        for _ in range(ORDERS):
            try:
                world.release(version, plan=plan)
                break
            except Unreachable:
                continue
        world.seconds_until(lambda: world.rollout().candidate == version and world.rollout().wanted == share * 100)

    @staticmethod
    def _ends(world: CodeDeployWorld) -> None:
        world.seconds_until(lambda: world.rollout().phase is Phase.COMPLETED)
        world.tidy()
        world.seconds_until(lambda: world.codedeploy.going is None)

    @staticmethod
    def _goes_back(world: CodeDeployWorld) -> None:
        world.orders.abort("web", "ann", "it is bad")
        world.seconds_until(lambda: world.rollout().phase is Phase.ROLLED_BACK)

    @staticmethod
    def _look(world: CodeDeployWorld, what: object) -> None:
        assert world.forward() == ["tidegate web-1 v1", "tidegate web-2 v2", "tidegate web-3 v3"], what
        assert len(world.codedeploy.definitions) == 4, what
        assert sum(name.startswith("Tidegate.") for name in world.codedeploy.configs) == 2, what
        assert world.codedeploy.users() == {"shop/web:v2": 100}, what
        phases = [one.rollout.phase for one in world.store.history("web")]
        assert phases == [Phase.ROLLED_BACK, Phase.COMPLETED, Phase.COMPLETED], what


@pytest.mark.parametrize(
    ("wrong", "times"), [(Wrong.THROTTLED, 1), (Wrong.LOST, 1), (Wrong.DONE_AND_ERROR, 1), (Wrong.LOST, MANY)]
)
def test_a_release_by_our_codedeploy_not_aws_s_ends_rightly_when_every_call_goes_wrong_in_turn(
    wrong: Wrong, times: int, keys: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some ways; the nightly form takes all, and one call at a time."""
    Story(tmp_path / "all", monkeypatch).tell({stage: Fault("", 1, wrong, times) for stage in Story.STAGES})


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("times", [1, MANY])
@pytest.mark.parametrize("wrong", list(Wrong))
def test_a_release_by_our_codedeploy_not_aws_s_ends_rightly_whatever_single_call_goes_wrong(
    wrong: Wrong, times: int, keys: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every operation that a whole release asks for, at every stage."""
    calm = Story(tmp_path / "calm", monkeypatch).tell({})
    for stage, asked in calm.items():
        for operation in sorted(asked):
            home = tmp_path / f"{stage}-{operation}"
            Story(home, monkeypatch).tell({stage: Fault(operation, 1, wrong, times)})
