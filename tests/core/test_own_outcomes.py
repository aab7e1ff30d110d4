"""Users' own metrics, from what tasks expose and what is pushed."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.core.compare_file import OwnMetric
from tidegate.core.latency import bin_of
from tidegate.core.own_outcomes import OwnOutcomes
from tidegate.ports import Measurement

CHECKOUT = OwnMetric(name="checkout", bad='tasks:failed_total{shop="uk"}', of="tasks:tried_total")
RENDER = OwnMetric(name="render", histogram="tasks:render_seconds")
PUSHED = OwnMetric(name="mails", bad="pushed:bounced", of="pushed:sent")
PAGE = OwnMetric(name="page", histogram="pushed:page_seconds")


def counter(metric: str, value: float, task: str = "a", **labels: str) -> Measurement:
    return Measurement(metric, value, labels, "counter", version="v2", task=task)


def bucket(le: str, value: float) -> Measurement:
    return Measurement("render_seconds_bucket", value, {"le": le}, "histogram", version="v2", task="a")


def scraped(outcomes: OwnOutcomes, *measured: Measurement) -> OwnOutcomes:
    return outcomes.scraped([CHECKOUT, RENDER], measured, ["a", "b"])


def shares(outcomes: OwnOutcomes, version: str = "v2") -> tuple[int, int]:
    return outcomes.of([CHECKOUT], version).shares["checkout"]


def test_a_first_look_adds_nothing_and_the_next_one_its_growth() -> None:
    first = scraped(OwnOutcomes(), counter("tried_total", 100), counter("failed_total", 7, shop="uk"))
    assert shares(first) == (0, 0)
    second = scraped(first, counter("tried_total", 130), counter("failed_total", 9, shop="uk"))
    assert shares(second) == (30, 2)
    assert shares(second, "v1") == (0, 0)
    assert shares(second.taken()) == (0, 0)


def test_a_counter_that_appears_on_a_task_that_was_looked_at_counts_from_zero() -> None:
    looked = scraped(OwnOutcomes(), counter("tried_total", 100))
    assert shares(scraped(looked, counter("tried_total", 110), counter("failed_total", 3, shop="uk"))) == (10, 3)


def test_a_task_that_was_begun_anew_counts_from_zero() -> None:
    looked = scraped(OwnOutcomes(), counter("tried_total", 100))
    assert shares(scraped(looked, counter("tried_total", 4))) == (4, 0)


def test_tasks_are_added_up_and_other_labels_left_out() -> None:
    looked = scraped(OwnOutcomes(), counter("tried_total", 0, "a"), counter("tried_total", 0, "b"))
    more = (counter("tried_total", 5, "a"), counter("tried_total", 6, "b"), counter("failed_total", 9, shop="fr"))
    assert shares(scraped(looked, *more)) == (11, 0)


def test_more_bad_ones_than_were_tried_are_all_bad() -> None:
    looked = scraped(OwnOutcomes(), counter("tried_total", 0))
    assert shares(scraped(looked, counter("tried_total", 1), counter("failed_total", 2, shop="uk"))) == (2, 2)


def test_buckets_become_counts_just_below_their_bounds() -> None:
    looked = scraped(OwnOutcomes(), bucket("0.1", 10), bucket("0.5", 10), bucket("+Inf", 10))
    grown = scraped(looked, bucket("0.1", 14), bucket("0.5", 20), bucket("+Inf", 21))
    bins = grown.of([RENDER], "v2").histograms["render"].bins
    assert bins == {bin_of(99_999): 4, bin_of(499_999): 6, bin_of(999_999): 1}


def test_what_is_pushed_is_added_up_by_version() -> None:
    def push(metric: str, value: float, version: str) -> Measurement:
        return Measurement(metric, value, {}, version=version)

    came: Sequence[Measurement] = [
        push("sent", 5, "v2"),
        push("sent", 2, "v2"),
        push("bounced", 1, "v2"),
        push("sent", 9, "v1"),
        push("sent", 50, ""),
        push("page_seconds", 0.2, "v2"),
        push("page_seconds", 0.2, "v2"),
    ]
    outcomes = OwnOutcomes().pushed([PUSHED, PAGE], came)
    assert outcomes.of([PUSHED], "v2").shares == {"mails": (7, 1)}
    assert outcomes.of([PUSHED], "v1").shares == {"mails": (9, 0)}
    assert outcomes.of([PAGE], "v2").histograms["page"].bins == {bin_of(200_000): 2}
