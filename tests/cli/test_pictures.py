"""Pictures fit: narrow terminals, terminals without UTF-8, hostile texts, figures that were not seen."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from tests.cli.pictures import COMPARED, EVENTS, HARM, LITTLE, STEPS, WHY, comparing, deciding, rollout
from tidegate.cli import comparison_view
from tidegate.cli.answers import Forecast, GuardAhead, HarmAhead, Preview, Service, Step, StepAhead, TrafficAhead, read_as
from tidegate.cli.board import Picture, board
from tidegate.cli.ending import harm_in_short, say_ending, say_harm
from tidegate.cli.figures import milliseconds, rate, share
from tidegate.cli.forecast_view import outlook
from tidegate.cli.history_views import all_rollouts, explained
from tidegate.cli.plan_strip import progress, strip
from tidegate.cli.preview import ahead
from tidegate.cli.screen import ASCII, UTF8, Glyphs, clean, clean_line
from tidegate.cli.service_views import all_services, one_service

PREVIEW = Preview(
    service="web",
    url="http://127.0.0.1:8080/",
    baseline="v1",
    candidate="v2",
    tasks=2,
    plan="linear 10% every 1m",
    steps=STEPS,
    duration=timedelta(minutes=14),
    deadline=timedelta(hours=1),
    guards=(
        GuardAhead(
            "errors",
            "error_rate of the candidate above 1% in 2 of 3 periods of 10s",
            rollback=True,
            state="firing",
            figure="3%",
        ),
    ),
    in_flight="",
)
BEWARE = "At 2 requests a second the step of 10%, and 8 more that are too short, finds nothing below 42%."
MINUTE = timedelta(minutes=1)
FORECAST = Forecast(
    service="web",
    first=False,
    plan="linear 10% every 1m",
    compares="errors up to 1.25x + 0.1pp, latency up to 10% slower",
    traffic=TrafficAhead(30.2, "now", 0.012, "day", 3.4),
    steps=(
        StepAhead("1%", timedelta(0), timedelta(0), 0, None, None),
        StepAhead("10%", MINUTE, 2 * MINUTE, 360, 0.067, 3 * MINUTE, "the shop team looks at every order of the last hour"),
        StepAhead("20%", MINUTE, 2 * MINUTE, 360, 0.067, timedelta(hours=1, seconds=3)),
        StepAhead("30%", MINUTE, 1.7 * MINUTE, 636, 0.05, 1.7 * MINUTE),
        StepAhead("40%", MINUTE, MINUTE / 4, 1636, 0.02, MINUTE / 9, proven=True),
        StepAhead("50%", MINUTE, 2 * MINUTE, 12, None, None),
        StepAhead("100%", MINUTE, MINUTE, 12_000, None, None),
    ),
    harms=(
        HarmAhead(1.0, 8.44, 12.3, 0.99995, timedelta(seconds=2), harmless=False),
        HarmAhead(0.2, 1234.5, 2345.6, 0.65, timedelta(seconds=94), harmless=False),
        HarmAhead(0.05, 120, 120, 0, None, harmless=False),
        HarmAhead(0.02, 48, 48, 0, None, harmless=True),
    ),
    duration=14 * MINUTE,
    warnings=(BEWARE, BEWARE),
    guards=PREVIEW.guards,
)
LONG_FORECAST = replace(FORECAST, steps=FORECAST.steps * 9, compares="", first=True)
SERVICE = Service("web", "http://127.0.0.1:8080/", "v1", (), (), rollout().sides[0].figures, rollout(), ("v1",))


COMPARING = rollout(guards=comparing(LITTLE), comparison=LITTLE)
ENDED = rollout(phase="rolled_back", in_flight=False, reason=f"comparison: {WHY}", guards=(), sides=())


PICTURED = [deciding("hold", LITTLE), deciding("roll_back", COMPARED), *EVENTS]


def drawn(what: RenderableType, width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width, markup=False, emoji=False, highlight=False).print(what)
    return out.getvalue()


PICTURES: dict[str, Callable[[Glyphs, int], RenderableType]] = {
    "watching": lambda glyphs, width: board(Picture(rollout(), EVENTS), glyphs, width),
    "lost": lambda glyphs, width: board(Picture(rollout(), EVENTS, lost=7), glyphs, width),
    "waiting": lambda glyphs, width: board(Picture(rollout(waiting="compare the invoices with finance")), glyphs, width),
    "first": lambda glyphs, width: board(Picture(rollout(baseline="", phase="preparing", step=0)), glyphs, width),
    "unseen": lambda glyphs, width: board(Picture(rollout(applied=None, served=None, sides=(), guards=())), glyphs, width),
    "preview": lambda glyphs, _: ahead(PREVIEW, glyphs),
    "comparing": lambda glyphs, width: board(Picture(COMPARING), glyphs, width),
    "service comparing": lambda glyphs, width: one_service(replace(SERVICE, rollout=COMPARING), glyphs, width),
    "explained comparing": lambda glyphs, _: explained(COMPARING, [deciding("hold", LITTLE)], glyphs),
    "explained blame": lambda glyphs, _: explained(ENDED, [deciding("hold", LITTLE), deciding("roll_back", COMPARED)], glyphs),
    "beware": lambda glyphs, _: ahead(replace(PREVIEW, warnings=(BEWARE,)), glyphs),
    "forecast": lambda glyphs, _: outlook(FORECAST, glyphs),
    "long forecast": lambda glyphs, _: outlook(LONG_FORECAST, glyphs),
    "services": lambda glyphs, width: all_services([SERVICE, replace(SERVICE, rollout=None)], glyphs, width),
    "service": lambda glyphs, width: one_service(SERVICE, glyphs, width),
    "history": lambda glyphs, _: all_rollouts([rollout(), rollout(phase="rolled_back", reason="errors: 3%")], glyphs),
    "explained": lambda glyphs, _: explained(rollout(phase="completed"), EVENTS, glyphs),
}


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("name", PICTURES)
def test_no_line_is_wider_than_the_terminal_and_nothing_is_cut_off(name: str, width: int) -> None:
    said = drawn(PICTURES[name](ASCII, width), width)
    assert max(len(line.rstrip()) for line in said.splitlines()) <= width
    assert "…" not in said
    assert "web" in said


@pytest.mark.parametrize("name", PICTURES)
def test_without_utf_8_every_letter_is_ascii(name: str) -> None:
    drawn(PICTURES[name](ASCII, 60), 60).encode("ascii")


def test_a_figure_that_was_not_counted_is_a_dash() -> None:
    assert (share(None), rate(None), milliseconds(None)) == ("-", "-", "-")
    assert [share(value) for value in (0, 0.0004, 0.0123, 0.5, 1)] == ["0%", "0.04%", "1.2%", "50.0%", "100%"]
    assert [milliseconds(value) for value in (0.4, 35.2, 1210)] == ["0.4ms", "35ms", "1.2s"]
    assert [rate(value) for value in (0.5, 9.96, 1204.2)] == ["0.5", "10.0", "1,204"]


def test_an_exposure_that_cannot_be_seen_is_said_so() -> None:
    assert "applied not seen" in drawn(board(Picture(rollout(applied=None)), UTF8, 80), 80)


def test_the_strip_says_a_time_where_it_changes_and_shortens_a_long_plan() -> None:
    assert str(strip(STEPS, ASCII)) == "10% 1m > 20% > 30% > 40% > 50% > 60% > 70% > 80% > 90% > 100% 5m"
    long = tuple(Step(f"{number}%", timedelta(seconds=10)) for number in range(1, 101))
    assert str(strip(long, ASCII)) == "1% 10s > 2% > 3% > 4% > 5% > 6% > 7% > 8% > ... > 98% > 99% > 100%"


def test_a_step_that_may_end_early_says_from_when_on() -> None:
    steps = (*(Step(f"{share}%", MINUTE, least=MINUTE / 5) for share in (10, 20)), Step("100%", MINUTE))
    assert str(strip(steps, ASCII)) == "10% 12s-1m > 20% > 100% 1m"
    said = drawn(ahead(replace(PREVIEW, shortest=2 * MINUTE), UTF8), 200)
    assert "between 2m and 14m when all goes well" in said


def test_progress_is_by_time_and_never_runs_back() -> None:
    seen = [
        progress(rollout(phase="preparing", step=0)),
        progress(rollout(step=1, watched=timedelta(0))),
        progress(rollout(step=1, watched=timedelta(seconds=59))),
        progress(rollout(step=10, hold=timedelta(minutes=5), watched=timedelta(minutes=9))),
        progress(rollout(phase="completed")),
    ]
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.0, 1.0)


def test_harm_is_said_in_few_lines_with_every_figure() -> None:
    assert say_harm(HARM) == [
        "1,240 requests reached it, from at most 20% of the users.",
        "31 attempts failed (2.5%, the baseline's rate was 0.04%); users saw 2, and 29 were rescued by the baseline.",
        "From the first failure to the decision 4.2s, to nobody exposed 400ms more.",
    ]
    assert say_harm(replace(HARM, failed=0)) == ["1,240 requests reached it, from at most 20% of the users; none failed."]
    assert say_harm(replace(HARM, requests=1, failed=1, seen=0, rescued=1, time_to_act=None))[1].endswith(
        "users saw none of it: the baseline answered instead."
    )
    assert say_harm(replace(HARM, requests=0)) == ["No request to it has been counted."]
    assert say_harm(replace(HARM, requests=0, most="0%")) == ["No request reached it."]


def test_a_version_that_is_only_slow_is_not_said_to_be_well() -> None:
    slow = replace(HARM, failed=0, seen=0, rescued=0, slow=412)
    assert say_harm(slow) == [
        "1,240 requests reached it, from at most 20% of the users.",
        "None failed, but about 412 requests were slower than they would have been on the baseline.",
        "From the first slow request to the decision 4.2s, to nobody exposed 400ms more.",
    ]
    assert say_harm(replace(HARM, slow=1))[2] == "About 1 request was slower than it would have been on the baseline."
    assert harm_in_short(slow) == "1,240 requests reached it, none failed, about 412 were slower than on the baseline"
    assert harm_in_short(slow) in drawn(board(Picture(rollout(harm=slow)), UTF8, 120), 120)


def test_evidence_is_a_bar_by_its_logarithm_with_its_limit() -> None:
    def bar(evidence: float) -> str:
        return str(comparison_view.evidence(replace(LITTLE, evidence=evidence), ASCII))

    assert bar(0.2) == "............ evidence 0.2, rolls back at 1,000"
    assert bar(31.7).startswith("######...... evidence 32")
    assert bar(1000.0).startswith("############ evidence 1,000")
    assert bar(1e300).startswith("############ evidence over a million")
    assert str(comparison_view.evidence(LITTLE, ASCII, acts=False)) == "###......... evidence 4.6, limit 1,000"


def test_what_the_comparison_says_and_misses_is_on_the_board_whole() -> None:
    for width in (60, 80, 200):
        said = " ".join(drawn(board(Picture(COMPARING), ASCII, width), width).split())
        assert "no data comparison ###......... evidence 4.6, rolls back at 1,000 not enough data" in said or width == 60
        for word in LITTLE.sentence.split():
            assert word in said


def test_explain_tells_every_outcome_with_both_sides_at_the_decision_that_took_it_back() -> None:
    said = [" ".join(line.split()) for line in drawn(explained(ENDED, PICTURED, ASCII), 160).splitlines()]
    assert said.count("errors 31/1,204 2.6% 3/12,040 0.02% 10,030 913") == 1
    assert "latency p99.9 12/1,204 1.00% 120/12,040 1.00% 0.8 -" in said
    assert "checkout_failed_total - 0/1,000 0% 1.0 -" in said
    first, back = (next(n for n, line in enumerate(said) if f"{kind}: " in line) for kind in ("hold", "roll back"))
    assert first < back < said.index("errors 31/1,204 2.6% 3/12,040 0.02% 10,030 913")


def test_explain_tells_what_the_comparison_said_once() -> None:
    said = " ".join(drawn(explained(ENDED, [deciding("hold", LITTLE)], ASCII), 160).split())
    assert said.count(LITTLE.sentence) == 1
    applied = replace(deciding("watch", LITTLE), why="10% is applied")
    assert LITTLE.sentence in " ".join(drawn(explained(ENDED, [applied], ASCII), 160).split())


def test_explain_tells_every_outcome_as_it_is_now_while_it_goes_on() -> None:
    said = drawn(explained(COMPARING, [deciding("hold", LITTLE)], ASCII), 160)
    assert said.count("31/1,204") == 1
    assert said.index("It goes on") < said.index("31/1,204")


def test_a_first_version_that_failed_names_no_baseline() -> None:
    said = say_ending(rollout(phase="rolled_back", baseline="", reason="v1 did not become healthy"))
    assert said[0] == "web v2 was rolled back."


def test_a_forecast_says_what_each_step_sees_and_whom_a_bad_version_harms() -> None:
    said = [" ".join(line.split()) for line in drawn(outlook(FORECAST, UTF8), 200).splitlines()]
    for line in (
        "web linear 10% every 1m at 30.2 requests a second now, of which 1.2% fail in the last day, in bursts of about 3",
        "1% 0s 0 -",
        "10% 2m 360 6.7% failing then waits for a person: the shop team looks at every order of the last hour",
        "20% 2m 360 6.7% failing needs 1h1m to find 5%",
        "30% 1m42s 636 5% failing more than 1m, to see enough",
        "40% 15s 1,636 2% failing of 1m: proven by then",
        "50% 2m 12 - never finds 5%",
        "100% 1m 12,000 - nobody is left to compare with",
        "everything always 2s 8.4 12",
        "20% of its requests 65% 1m34s 1,234 2,346",
        "5% of its requests by alarms only - 120 120",
        "2% of its requests within the margin - 48 48",
        "A good version takes 14m, and waits for a person once.",
        f"beware {BEWARE}",
    ):
        assert line in said


HOSTILE = "a\x1b[31mred\x1b[2J\x07 \x1b]0;title\x07\u202eevil\x9b5n [bold]x[/bold] \r\n:smile:"


def test_texts_of_others_cannot_move_colour_ring_or_turn() -> None:
    cleaned = clean(HOSTILE)
    assert not set(cleaned) & set("\x1b\x07\x9b\r\u202e")
    assert "[bold]x[/bold]" in cleaned


@given(st.text())
def test_whatever_text_comes_is_harmless_and_stays_readable(text: str) -> None:
    cleaned = clean_line(text)
    assert "\n" not in cleaned
    assert all(ord(letter) >= 32 and not 127 <= ord(letter) < 160 for letter in cleaned)
    if text.isascii() and text.isprintable():
        assert cleaned == " ".join(text.split())


def test_markup_of_others_is_shown_as_it_is_written() -> None:
    said = drawn(board(Picture(rollout(waiting="[bold red]now[/]", plan="[link=x]y[/link]")), UTF8, 100), 100)
    assert "[bold red]now[/]" in said
    assert "[link=x]y[/link]" in said


def test_answers_of_a_newer_controller_are_understood() -> None:
    step = read_as(Step, {"exposure": "10%", "hold": "1m", "gate": "", "hook": False, "something": "new"})
    assert step == Step("10%", timedelta(minutes=1))


@pytest.mark.parametrize(
    ("guard", "said"),
    [
        (
            GuardAhead("a", "b", rollback=True, armed="refused", figure="3%"),
            "a: b (fires already: this will be refused, now 3%)",
        ),
        (GuardAhead("a", "b", rollback=True, armed="no"), "a: b (not armed: it fires already)"),
        (GuardAhead("a", "b", rollback=True, armed="later"), "a: b (fires already, armed once it was well)"),
        (GuardAhead("a", "b", rollback=True, state="ok", figure="0%"), "a: b (armed, now 0%)"),
        (GuardAhead("a", "b", rollback=True, state="blind"), "a: b (armed, but its source does not answer)"),
        (GuardAhead("a", "b", rollback=False, state="firing"), "a: b (shown only)"),
        (GuardAhead("a", "b", rollback=True, why="the day is known"), "a: b (armed: the day is known)"),
        (GuardAhead("a", "b", rollback=True, armed="no", why="nobody is left"), "a: b (not armed: nobody is left)"),
    ],
)
def test_before_the_start_each_guard_says_whether_it_is_armed(guard: GuardAhead, said: str) -> None:
    assert said in drawn(ahead(replace(PREVIEW, guards=(guard,)), UTF8), 200)
