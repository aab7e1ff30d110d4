from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.errors import Invalid
from tidegate.core.limit import Unit
from tidegate.core.metric_name import Matcher, MetricName, Source, parse_metric_name, percentile, refuse_unknown


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        ("error_rate", Unit.SHARE),
        ("requests", Unit.NUMBER),
        ("tasks_healthy", Unit.NUMBER),
        ("p50", Unit.DURATION),
        ("p99.9", Unit.DURATION),
        ("tasks:queue_depth", Unit.NUMBER),
        ('pushed:orders{country="de"}', Unit.NUMBER),
    ],
)
def test_a_metric_knows_the_unit_of_its_limits(written: str, unit: Unit) -> None:
    assert parse_metric_name(written).unit is unit


def test_labels_are_read_as_prometheus_writes_them() -> None:
    metric = parse_metric_name("""tasks:jobs_total{queue="ma\\"il", state!='done',host=~"a.*", zone!~"x|y",}""")
    assert metric.source is Source.TASKS
    assert metric.name == "jobs_total"
    assert metric.matchers == (
        Matcher("queue", "=", 'ma"il'),
        Matcher("state", "!=", "done"),
        Matcher("host", "=~", "a.*"),
        Matcher("zone", "!~", "x|y"),
    )


@pytest.mark.parametrize(
    ("matcher", "labels", "matches"),
    [
        (Matcher("q", "=", "mail"), {"q": "mail"}, True),
        (Matcher("q", "=", "mail"), {"q": "mails"}, False),
        (Matcher("q", "=", ""), {}, True),
        (Matcher("q", "!=", "mail"), {}, True),
        (Matcher("q", "=~", "ma"), {"q": "mail"}, False),
        (Matcher("q", "=~", "ma.*"), {"q": "mail"}, True),
        (Matcher("q", "!~", "ma.*"), {"q": "mail"}, False),
        (Matcher("q", "!~", "ma"), {"q": "mail"}, True),
    ],
)
def test_a_matcher_matches_the_whole_value_and_takes_a_lacking_label_as_empty(
    matcher: Matcher, labels: dict[str, str], matches: bool
) -> None:
    assert matcher.matches(labels) is matches


@pytest.mark.parametrize(
    ("written", "mend"),
    [
        ("eror_rate", "Did you mean 'error_rate'?"),
        ("p999", "Did you mean 'p99.9'?"),
        ("task:queue", "Did you mean 'tasks:queue'?"),
        ("zzz", "Known: error_rate, requests"),
        ("tasks:", "tasks:queue_depth"),
        ("tasks:1st", "tasks:queue_depth"),
        ("tasks:q{a=", "Close them with }."),
        ("tasks:q{a=b}", 'label="value"'),
        ('tasks:q{a="b" c="d"}', 'label="value"'),
        ('tasks:q{a=~"("}', "or use =."),
        ("tasks:q{" + ",".join(f'l{i}="x"' for i in range(17)) + "}", "at most 16"),
    ],
)
def test_a_wrong_name_is_refused_with_the_mend(written: str, mend: str) -> None:
    with pytest.raises(Invalid) as wrong:
        parse_metric_name(written)
    assert mend in wrong.value.mend


@pytest.mark.parametrize(
    ("text", "share"), [("p50", 0.5), ("p99.9", 0.999), ("p0", 0.0), ("p100", 1.0), ("p101", None), ("q5", None)]
)
def test_percentiles_reach_from_0_to_100(text: str, share: float | None) -> None:
    assert percentile(text) == (None if share is None else pytest.approx(share))


LABEL = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
LABELS = st.lists(st.builds(Matcher, LABEL, st.sampled_from(["=", "!="]), st.text(max_size=20)), max_size=4)


@given(name=st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,20}", fullmatch=True), matchers=LABELS)
def test_a_written_name_reads_back_the_same(name: str, matchers: list[Matcher]) -> None:
    metric = MetricName(Source.PUSHED, name, tuple(matchers))
    assert parse_metric_name(str(metric)) == metric


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_and_never_more(written: str) -> None:
    for text in (written, f"tasks:{written}", f"pushed:x{{{written}}}"):
        with suppress(Invalid):
            parse_metric_name(text)


def test_a_metric_that_nobody_exposes_is_refused_with_the_nearest() -> None:
    with pytest.raises(Invalid) as wrong:
        refuse_unknown(parse_metric_name("tasks:queue_dept"), ["queue_depth", "up"], "alarms[0].metric")
    assert wrong.value.mend == "Did you mean 'tasks:queue_depth'?"
    assert wrong.value.where == "alarms[0].metric"
    refuse_unknown(parse_metric_name("tasks:queue_depth"), ["queue_depth"])
    refuse_unknown(parse_metric_name("error_rate"), [])


def test_a_query_of_prometheus_is_kept_as_it_is_in_one_line() -> None:
    query = parse_metric_name('prometheus: sum(rate(a{v="{version}"}[1m]))\n  / sum(b | c)')
    assert query == MetricName(Source.PROMETHEUS, 'sum(rate(a{v="{version}"}[1m])) / sum(b | c)')
    assert parse_metric_name(str(query)) == query


@pytest.mark.parametrize("text", ["prometheus:", "prometheus: ", "prometheus:a\n# why\n+ b", "prometheus:" + "a" * 4001])
def test_what_cannot_be_a_query_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_metric_name(text)
