"""A controller that is killed, or an answer that is lost, at any write to AWS: the end is the same, nothing is made twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.aws_stories import STORIES, tell
from tests.support.aws_world import AwsWorld, Fused, How, make_place

pytestmark = pytest.mark.real


@pytest.fixture
def aws(moto_url: str, ministack_url: str, keys: None, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", moto_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", ministack_url)
    return moto_url


def burn(aws: str, home: Path, story: str, fuse: Fused) -> Fused:
    def begin(world: AwsWorld) -> str:
        fuse.real, world.caller = world.caller.real, fuse
        return f"{fuse.how} at the {fuse.at}. write"

    tell(home, make_place(aws), story, begin)
    return fuse


@pytest.mark.parametrize(
    "case",
    [
        ("good", "register_task_definition", 1, How.LOST),
        ("good", "register_task_definition", 1, How.AFTER),
        ("good", "modify_rule", 1, How.AFTER),
        ("good", "add_tags", 2, How.BEFORE),
        ("good", "update_service", 1, How.FAILS),
        ("bad", "modify_rule", 2, How.BEFORE),
        ("bad", "modify_rule", 2, How.LOST),
    ],
    ids=str,
)
def test_a_crash_or_a_lost_answer_at_a_write_leaves_the_same_end(
    case: tuple[str, str, int, How], aws: str, tmp_path: Path
) -> None:
    """Some of them; the nightly form takes all."""
    story, operation, number, how = case
    assert burn(aws, tmp_path, story, Fused(None, number, how, operation)).burnt


@pytest.mark.nightly
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("how", list(How))
@pytest.mark.parametrize("story", list(STORIES))
def test_a_crash_or_a_lost_answer_at_any_write_leaves_the_same_end(story: str, how: How, aws: str, tmp_path: Path) -> None:
    """Each way of going wrong is a test of its own, of about a minute."""
    calm = burn(aws, tmp_path / "calm", story, Fused(None))
    for number in range(1, calm.count + 1):
        burn(aws, tmp_path / str(number), story, Fused(None, number, how))
