"""The test of notifications."""

from __future__ import annotations

import json
from pathlib import Path

from starlette.testclient import TestClient

from tests.support.served import WEB, House


def test_everybody_whom_the_file_names_is_tried_and_told_apart(own: TestClient, house: House, tmp_path: Path) -> None:
    told = tmp_path / "told"
    on = [
        {"command": ["/bin/sh", "-c", f"cat > {told}"]},
        {"apprise": "env:NOT_SET_ANYWHERE", "events": ["held"]},
        {"webhook": "http://ann:topsecret@127.0.0.1:1/hidden"},
    ]
    house.run("v1", text=f"{WEB}on: {json.dumps(on)}\n")
    told.unlink(missing_ok=True)
    tried = own.post("/v1/notifications/test", json={"subject": "web"}).json()
    assert [one["target"] for one in tried] == ["command /bin/sh", "apprise env:NOT_SET_ANYWHERE", "webhook http://127.0.0.1:1"]
    assert [bool(one["problem"]) for one in tried] == [False, True, True]
    assert '"event": "test"' in told.read_text()
    assert "topsecret" not in str(tried)


def test_a_test_that_would_reach_nobody_says_how_to_name_somebody(own: TestClient, house: House) -> None:
    house.run("v1")
    answer = own.post("/v1/notifications/test", json={"subject": "web"})
    assert (answer.status_code, answer.json()["mend"]) == (400, "Say in its file whom to tell, under on.")
    assert own.post("/v1/notifications/test", json={"subject": "api"}).status_code == 404


def test_whoever_has_no_token_sends_nothing(tcp: TestClient, house: House) -> None:
    house.run("v1")
    assert tcp.post("/v1/notifications/test", json={"subject": "web"}).status_code == 401
