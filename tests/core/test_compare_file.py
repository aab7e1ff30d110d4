"""What people write under `compare`."""

from __future__ import annotations

import pytest

from tidegate.core.compare_file import CompareFile, parse_margin
from tidegate.core.compare_settings import settings_of
from tidegate.core.comparison_settings import Settings
from tidegate.core.document import read
from tidegate.core.errors import Invalid


def test_without_a_word_it_is_the_settings_that_were_frozen() -> None:
    assert settings_of(CompareFile()) == Settings()
    assert CompareFile().is_on


def test_off_compares_nothing() -> None:
    assert not read(CompareFile, "off", "compare").is_on
    assert not CompareFile.model_validate(False).is_on
    assert not CompareFile.model_validate({"errors": "off", "latency": None}).is_on


def test_one_half_may_be_off_and_then_has_no_weight() -> None:
    settings = settings_of(CompareFile.model_validate({"latency": False}))
    assert settings.weights.latency == settings.weights.past_latency == 0
    assert settings.weights.errors == Settings().weights.errors


def test_what_was_switched_off_stays_off_when_it_is_written_down_without_nulls() -> None:
    off = CompareFile.model_validate({"latency": "off"})
    assert CompareFile.model_validate_json(off.model_dump_json(exclude_none=True)) == off


@pytest.mark.parametrize(
    ("text", "margin"),
    [
        ("1.25x + 0.1pp", (1.25, 0.001)),
        ("2x", (2, 0)),
        ("0.5pp", (1, 0.005)),
        (" 1x+1pp ", (1, 0.01)),
        ("1.5 x + 0 pp", (1.5, 0)),
    ],
)
def test_margins_are_times_and_points(text: str, margin: tuple[float, float]) -> None:
    assert parse_margin(text) == pytest.approx(margin)


@pytest.mark.parametrize(
    "text", ["", "x", "1.25", "0.9x", "1x", "0pp", "100pp", "1.25x 0.1pp", "+ 1pp", "1x +", "1e3x", "-1x", "١x"]
)
def test_other_margins_are_refused_with_the_mend(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(CompareFile, {"errors": {"margin": text}}, "compare")
    assert refused.value.where == "errors.margin"
    assert refused.value.mend.startswith("Write")


@pytest.mark.parametrize(
    "content", ["on", True, 3, [], {"erors": {}}, {"alpha": "50%"}, {"alpha": 0.001}, {"latency": {"margin": "1%"}}]
)
def test_other_content_is_refused(content: object) -> None:
    with pytest.raises(Invalid):
        read(CompareFile, content, "compare")


@pytest.mark.parametrize(
    "metric",
    [
        {"name": "a"},
        {"name": "a", "bad": "tasks:x"},
        {"name": "a", "bad": "tasks:x", "of": "tasks:y", "histogram": "tasks:z"},
        {"name": "a", "bad": "error_rate", "of": "tasks:y"},
        {"name": "errors", "histogram": "tasks:z"},
    ],
)
def test_a_metric_of_ones_own_is_two_counters_or_a_histogram(metric: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        read(CompareFile, {"metrics": [metric]}, "compare")


def test_metrics_take_part_by_name() -> None:
    both = {"metrics": [{"name": "a", "bad": "tasks:x", "of": "tasks:y"}, {"name": "b", "histogram": "pushed:z"}]}
    settings = settings_of(read(CompareFile, both, "compare"))
    assert settings.shares == ("a",)
    assert settings.histograms == ("b",)


def test_it_says_what_it_compares() -> None:
    assert CompareFile().said == "errors up to 1.25x + 0.1pp, latency up to 10% slower"
