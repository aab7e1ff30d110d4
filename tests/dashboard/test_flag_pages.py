"""Pages of flags: what they say, and what they keep to who is signed in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.dashboard.shop import PROD
from tests.support.served import TOKEN, House
from tidegate.api.dashboard.beside import beside
from tidegate.api.dashboard.wish import KINDS, LONGEST, MOST_FLAGS, MOST_IDS, text_of
from tidegate.core.errors import Invalid
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flags_file import read_flags
from tidegate.core.flags.segment import Segment

KEY = {"authorization": f"Bearer {TOKEN}"}
SHEETS = f"/sheets/flags/{PROD}"
FLAG = read_flags({"application": "shop", "flags": {"a": True}}).flags["a"]
NEW_FLAG = "when: in segment staff or 70%\nowner: me\n"


def sheet(tcp: TestClient, path: str) -> str:
    answer = tcp.get(f"{SHEETS}/{path}", headers=KEY)
    assert answer.status_code == 200, answer.text
    return answer.text


def check(tcp: TestClient, **change: Any) -> tuple[int, str]:
    answer = tcp.post(f"{SHEETS}/change", json={"base": 2, **change}, headers=KEY)
    return answer.status_code, answer.text


def who(tcp: TestClient, **asked: Any) -> str:
    answer = tcp.post(f"{SHEETS}/who", json=asked, headers=KEY)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_nothing_of_a_document_is_said_to_who_is_not_signed_in(tcp: TestClient) -> None:
    for path in ("flags", f"flags/{PROD}", f"flags/{PROD}/flag?name=new-checkout", f"flags/{PROD}/change", f"flags/{PROD}/who"):
        page = tcp.get(f"/{path}")
        assert page.status_code == 200, path
        assert "anna" not in page.text, path
        assert "Sale!" not in page.text, path
    for part in ("list", "segments", "stale", "flag?name=banner", "change?do=document"):
        assert tcp.get(f"{SHEETS}/{part}").status_code == 401, part
    assert tcp.get("/sheets/documents/shop/1/diff?other=2").status_code == 401
    assert tcp.post(f"{SHEETS}/who", json={"user": "anna"}).status_code == 401


def test_flags_are_found_by_name_owner_and_description(tcp: TestClient) -> None:
    assert "5 flags" in sheet(tcp, "list")
    for asked, found in (("BANNER", "banner"), ("one page", "new-checkout"), ("marketing", "banner")):
        said = sheet(tcp, f"list?q={asked}")
        assert "1 flag of 5" in said, asked
        assert f"name={found}" in said, asked
    assert "No flag has this" in sheet(tcp, "list?q=nothing")


def test_a_flag_says_for_whom_it_is_on_and_how_often_it_was_asked(tcp: TestClient) -> None:
    said = sheet(tcp, "flag?name=new-checkout")
    assert "On where in segment staff or 50%." in said
    assert "checkout-team" in said
    assert tcp.get(f"{SHEETS}/flag?name=nobody", headers=KEY).status_code == 404
    assert "77." in tcp.get(f"/flags/{PROD}/flag?name=new-checkout").text


def test_stale_flags_and_segments_are_listed(tcp: TestClient) -> None:
    assert "It expired on 2025-06-01" in sheet(tcp, "stale")
    assert "3 ids" in sheet(tcp, "segments")


def test_two_documents_stand_beside_each_other(tcp: TestClient) -> None:
    said = tcp.get("/sheets/documents/shop/1/diff?other=2", headers=KEY).text
    assert "On where in segment staff or 50% instead of in segment staff or 20%." in said
    assert "<del>  when: in segment staff or 20%</del>" in said
    assert "<ins>  when: in segment staff or 50%</ins>" in said
    assert "Release 1 to prod" in tcp.get(f"/flags/{PROD}/compare?old=2&new=1").text


def test_lines_stand_beside_what_they_were() -> None:
    rows = [(row.old, row.new, row.changed) for row in beside("a\nb\nc", "a\nB\nc\nd")]
    assert rows == [("a", "a", False), ("b", "B", True), ("c", "c", False), ("", "d", True)]
    assert beside("x\n" * 500, "") == ()


def test_who_sees_what_is_answered_by_the_evaluator_with_the_reason(tcp: TestClient) -> None:
    said = who(tcp, user="anna", flag="new-checkout")
    for part in ("TARGETING_MATCH", "in segment staff or 50%", "yes in segment staff"):
        assert part in said, part
    everything = who(tcp, user="u1", attributes="country: DE")
    assert "limits" in everything.split("banner")[0]  # what is not the same for everybody comes first
    assert "depth" in everything
    assert "banner" not in who(tcp, user="u1", q="limits")


def test_what_is_being_typed_can_be_asked_before_it_is_released(tcp: TestClient) -> None:
    change = {"do": "flag", "name": "new-checkout", "text": 'when: country == "FR"'}
    assert "no rule held" in who(tcp, user="anna", flag="new-checkout", change=change)


def test_a_change_says_what_it_would_do_while_it_is_typed(tcp: TestClient) -> None:
    status, said = check(tcp, do="flag", name="new-checkout", text=NEW_FLAG, plan="canary 5% hold 2m")
    assert status == 200
    assert "On where in segment staff or 70% instead of in segment staff or 50%." in said
    for part in ("data-sound", "<b>5%</b>", "errors", "shop-prod-3"):
        assert part in said, part


def test_what_is_wrong_is_said_with_its_place(tcp: TestClient) -> None:
    for text, said in (("when: [", "line 1"), ("when: in segment stuff", "staff"), ("", "empty")):
        status, answer = check(tcp, do="flag", name="new-checkout", text=text)
        assert (status, "data-problem" in answer, "data-sound" in answer) == (200, True, False), text
        assert said in answer, text
    assert check(tcp, do="flag", name="new-checkout", text=NEW_FLAG, plan="soon")[1].count("data-problem") == 1


def test_what_was_made_from_another_document_is_refused(tcp: TestClient) -> None:
    status, said = check(tcp, do="on", name="old-search", base=1)
    assert (status, "Document 2 is in force by now" in said) == (409, True)


def test_what_is_too_long_to_be_typed_says_the_commands() -> None:
    many = FlagDocument("shop", flags=dict.fromkeys((f"flag-{number}" for number in range(MOST_FLAGS + 1)), FLAG))
    people = Segment("staff", members=frozenset(f"user-{number}" for number in range(MOST_IDS + 1)))
    crowded = FlagDocument("shop", flags={"a": FLAG}, segments={"staff": people})
    wide = FlagDocument("shop", flags={"a": replace(FLAG, description="x" * LONGEST)})
    for document, do, name, said in (
        (many, "document", "", "1,001 flags"),
        (crowded, "document", "", "20,001 ids"),
        (crowded, "segment", "staff", "20,001 ids"),
        (wide, "flag", "a", "characters"),
    ):
        with pytest.raises(Invalid) as refused:
            text_of(document, do, name, PROD)
        assert said in refused.value.what
        assert f"tidegate flags show -e {PROD} > flags.yaml" in refused.value.mend
    assert text_of(many, "flag", "flag-7", PROD)
    assert text_of(crowded, "flag", "a", PROD)


def test_a_new_name_must_be_new(tcp: TestClient) -> None:
    assert "There is banner already" in check(tcp, do="new-flag", name="banner", text="on")[1]
    assert "no name yet" in check(tcp, do="new-flag", name="", text="on")[1]
    assert "data-sound" in check(tcp, do="new-flag", name="fresh", text="on")[1]


@pytest.mark.parametrize("do", KINDS)
def test_everything_that_can_be_done_is_shown_before_and_is_a_route_of_the_api(house: House, tcp: TestClient, do: str) -> None:
    name = {"segment": "staff", "new-segment": "fresh", "remove-segment": "big-spenders"}.get(do, "dark-mode")
    form = sheet(tcp, f"change?do={do}&name={name}&number=1")
    kind = KINDS[do]
    assert f'data-method="{kind.method}"' in form
    assert f"tidegate {kind.command.split(' {')[0].split(' -f')[0]}" in form
    texts = {"document": "application: shop\nflags: {a: on}", "flag": "off", "new-flag": "on"}
    fresh = "fresh" if do == "new-flag" else name
    status, said = check(tcp, do=do, name=fresh, number=1, text=texts.get(do, "[zoe]"))
    assert (status, "data-sound" in said) == (200, True), said
    path = kind.path.replace("/flags/{name}", "/flags/{flag}").replace("/segments/{name}", "/segments/{segment}")
    routes = tcp.get("/v1/openapi.json").json()["paths"]
    assert kind.method.lower() in routes[f"/v1/applications/{{application}}/environments/{{environment}}{path}"]


def test_an_environment_that_there_is_not_is_a_page(tcp: TestClient) -> None:
    for page in ("", "/who", "/change", "/compare", "/flag?name=x"):
        assert tcp.get(f"/flags/shop/nowhere{page}").status_code == 404, page
