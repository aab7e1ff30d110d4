"""Each file of tests/scenarios still ends as it says. Keep what `pytest --rewrite` writes only where you can explain it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.scenario import RULE, play, read_scenario

FILES = sorted((Path(__file__).parent / "scenarios").glob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_scenario_ends_as_it_says(file: Path, request: pytest.FixtureRequest) -> None:
    question, _, answer = file.read_text().partition(f"{RULE}\n")
    today = play(read_scenario(question))
    if request.config.getoption("--rewrite"):
        file.write_text(f"{question}{RULE}\n{today}")
        return
    assert today == answer


def test_there_are_scenarios() -> None:
    assert len(FILES) >= 30
