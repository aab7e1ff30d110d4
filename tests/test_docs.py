"""The documents say what is true: keys, commands, settings and links that they name exist, and the other way round."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main
import yaml

from tidegate.core.alarm import AlarmFile
from tidegate.core.compare_file import CompareFile, OwnMetric
from tidegate.core.document import Document, read
from tidegate.core.service import Force, Health, Limits, Listener, On, Service, Stickiness, Tasks, Tls
from tidegate.settings import read_settings

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "README.ja.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
SERVICE_PAGE = (ROOT / "docs" / "service-file.md").read_text()
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()


def fenced(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} -> {target}"


def test_the_readme_s_service_file_is_one() -> None:
    (example,) = fenced(ROOT / "README.md", "yaml")
    file = read(Service, yaml.safe_load(example), "the README")
    assert [alarm.name for alarm in file.alarms] == ["errors", "slow"]


def test_the_japanese_readme_shows_the_same_file_and_the_same_commands() -> None:
    def commands(page: str) -> list[str]:
        lines = (ROOT / page).read_text().splitlines()
        return [line.partition("  # ")[0].strip() for line in lines if line.startswith("    ")]

    assert fenced(ROOT / "README.ja.md", "yaml") == fenced(ROOT / "README.md", "yaml")
    assert commands("README.ja.md") == commands("README.md")


def test_the_alarms_of_the_documentation_are_alarms() -> None:
    (example,) = fenced(ROOT / "docs" / "service-file.md", "yaml")
    base = {"service": "web", "listener": {"port": 1}, "tasks": {"command": ["web"], "metrics": "/metrics"}}
    assert len(read(Service, base | yaml.safe_load(example), "the page").alarms) == 5


def test_the_comparisons_of_the_documentation_are_the_defaults_and_others() -> None:
    usual, own = fenced(ROOT / "docs" / "comparisons.md", "yaml")
    base = {"service": "web", "listener": {"port": 1}, "tasks": {"command": ["web"], "metrics": "/metrics"}}
    assert read(Service, base | yaml.safe_load(usual), "the page").compare == CompareFile()
    assert len(read(Service, base | yaml.safe_load(own), "the page").compare.metrics) == 3


@pytest.mark.parametrize(
    ("kind", "prefix"),
    [
        (CompareFile, "compare."),
        (OwnMetric, ""),
        (Service, ""),
        (Listener, "listener."),
        (Tls, "listener.tls."),
        (Stickiness, "stickiness."),
        (Force, "force."),
        (Tasks, "tasks."),
        (Limits, ""),
        (Health, ""),
        (AlarmFile, ""),
        (On, ""),
    ],
)
def test_every_key_of_the_service_file_is_documented(kind: type[Document], prefix: str) -> None:
    for name in kind.model_fields:
        assert re.search(rf"`?{re.escape(prefix + name)}\b", SERVICE_PAGE), prefix + name


def test_every_command_that_a_page_names_exists() -> None:
    from tidegate.cli.main import app

    command = typer.main.get_command(app)
    known = set(command.commands)  # type: ignore[attr-defined]
    for page in PAGES:
        for name in re.findall(r"(?:^ {4}|`)tidegate ([a-z]+)", page.read_text(), re.MULTILINE):
            assert name in known, f"{page.name}: tidegate {name}"


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    source = (ROOT / "tidegate" / "settings.py").read_text()
    for name in set(re.findall(r'"(TIDEGATE_[A-Z]+)"', source)):
        assert f"`{name}`" in page, name
    assert read_settings({"HOME": "/tmp"}).port == 7400


def test_every_make_target_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for name in re.findall(r"(?:^ {4}|`)make ([a-z-]+)", page.read_text(), re.MULTILINE):
            assert name in targets, f"{page.name}: make {name}"


@pytest.mark.parametrize(
    "module", ["rollout.Phase", "rollout.Tidy", "verdict.Judgement"], ids=lambda name: name.rpartition(".")[2]
)
def test_the_glossary_knows_the_states(module: str) -> None:
    import importlib

    name, _, kind = module.rpartition(".")
    states = getattr(importlib.import_module(f"tidegate.core.{name}"), kind)
    text = GLOSSARY.lower()
    for state in states:
        assert state.value.replace("_", " ") in text or state.value in text, state.value
