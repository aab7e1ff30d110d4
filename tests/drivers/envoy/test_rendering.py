"""What is written for Envoy, held against golden files, each of which Envoy itself accepts.

`pytest --rewrite` writes them anew; keep a changed one only if you can say why it changed.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.drivers.envoy.bench import a_service, side
from tests.support.certificates import a_certificate
from tidegate.core.exposure import Exposure
from tidegate.drivers.envoy import names
from tidegate.drivers.envoy.bootstrap import bootstrap
from tidegate.drivers.envoy.render import Renderer, render
from tidegate.drivers.envoy.resource import File
from tidegate.drivers.envoy.validation import objection
from tidegate.ports import Routing, Side

GOLDEN = Path(__file__).parent.parent / "golden" / "envoy"
RUN = Path("RUN")
TLS = {"certificate": "TLS/cert.pem", "key": "TLS/key.pem"}


def cases() -> dict[str, list[Routing]]:
    v1, v2 = side("v1", 9001, 9003), side("v2", 9002)
    one = Routing(a_service("web"), "web-42", v1, v2, Exposure(1000))
    api = a_service("api", listener={"host": "*.example.org", "path": "/api/"}, stickiness={"header": None})
    shop = a_service("shop", listener={"host": "*", "path": "/shop"}, stickiness={"cookie": None})
    everything = a_service(
        "grpc-all",
        port=8443,
        listener={"tls": TLS, "timeout": "0s", "trusted_hops": 2},
        force={"secret": "open-sesame"},
        stickiness={"to_task": True, "cookie_secure": True},
        tasks={"protocol": "grpc"},
    )
    return {
        "one_service": [one],
        "two_services": [Routing(api, "a", v1, None), Routing(shop, "b\\1", Side("v1"), v2, Exposure(10_000))],
        "everything": [Routing(everything, "s", v1, v2, Exposure(1))],
        "nobody": [],
    }


@pytest.mark.parametrize("case", cases())
def test_the_files_are_as_they_were(case: str, request: pytest.FixtureRequest) -> None:
    files = render(cases()[case], RUN, {8443: "mark"})
    assert all(json.loads(file.text)["version_info"] == file.version for file in files.values())
    written = json.dumps({path: json.loads(file.text)["resources"] for path, file in files.items()}, indent=1, sort_keys=True)
    golden = GOLDEN / f"{case}.json"
    if request.config.getoption("--rewrite"):
        golden.write_text(written + "\n")
    assert written + "\n" == golden.read_text()


def test_the_bootstrap_is_as_it_was(request: pytest.FixtureRequest) -> None:
    written = json.dumps(bootstrap(RUN), indent=1, sort_keys=True) + "\n"
    golden = GOLDEN / "bootstrap.json"
    if request.config.getoption("--rewrite"):
        golden.write_text(written)
    assert written == golden.read_text()


@pytest.mark.real
@pytest.mark.parametrize("case", cases())
def test_envoy_accepts_each_golden_file(case: str, tmp_path: Path) -> None:
    folder = a_certificate(tmp_path / "tls", "one.example.org")
    text = (GOLDEN / f"{case}.json").read_text().replace("TLS/", f"{folder}/")
    files = {path: File(json.dumps({"resources": found}), "") for path, found in json.loads(text).items()}
    assert objection(files, tmp_path) == ""


@pytest.mark.real
def test_envoy_is_asked_for_real(tmp_path: Path) -> None:
    files = render(cases()["one_service"], tmp_path)
    table = files[names.rds_file(8080)]
    broken = files | {names.rds_file(8080): replace(table, text=table.text.replace("web.stable", "web.nobody"))}
    assert "web.nobody" in objection(broken, tmp_path)


def test_equal_routings_give_equal_files_in_whatever_order() -> None:
    routings = cases()["two_services"]
    assert render(routings, RUN) == render(routings[::-1], RUN)


def test_tasks_are_written_in_one_order() -> None:
    one = cases()["one_service"][0]
    assert one.stable is not None
    turned = replace(one, stable=replace(one.stable, endpoints=one.stable.endpoints[::-1]))
    assert render([turned], RUN) == render([one], RUN)


@pytest.mark.parametrize(
    ("change", "folders"),
    [
        ({}, set()),
        ({"exposure": Exposure(2000)}, {"rtds"}),
        ({"salt": "other"}, {"rds"}),
        ({"stable": side("v1", 9001)}, {"eds"}),
        ({"slot": None}, {"eds"}),
        ({"slot": side("v3", 9004)}, {"eds"}),
    ],
    ids=str,
)
def test_a_change_is_written_to_as_few_files_as_can_be(change: dict[str, object], folders: set[str]) -> None:
    other = Routing(a_service("api", listener={"path": "/api"}), "s", side("v1", 9005), None)
    one = cases()["one_service"][0]
    renderer = Renderer(RUN)
    before = renderer.render([one, other])
    after = renderer.render([replace(one, **change), other])  # type: ignore[arg-type]
    assert {path.split("/")[0] for path in after if before[path] != after[path]} == folders
    assert after == render([replace(one, **change), other], RUN)  # type: ignore[arg-type]
    assert all(after[path] is before[path] for path in after if after[path] == before[path] and "web" not in path)


def test_the_defaults_of_the_route_table_give_everything_to_the_stable_side() -> None:
    table = json.loads(render(cases()["one_service"], RUN)[names.rds_file(8080)].text)["resources"][0]
    weights = {
        (leg["name"], leg["weight"])
        for host in table["virtual_hosts"]
        for route in host["routes"]
        for leg in route["route"]["weighted_clusters"]["clusters"]
    }
    assert weights == {("web.stable", 10_000), ("web.candidate", 0)}
