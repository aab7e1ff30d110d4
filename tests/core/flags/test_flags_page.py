"""The page about the flag file says what is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.core.flags.test_flags_file import example
from tidegate.core.document import Document
from tidegate.core.flags.flags_file import ConstraintFile, FlagFile, SegmentFile, VariantFile, read_flags
from tidegate.core.flags.rule_text import parse_rule
from tidegate.core.text import read_yaml

PAGE = (Path(__file__).parents[3] / "docs" / "flag-file.md").read_text()


def test_its_example_is_that_of_the_package() -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert read_flags(read_yaml(shown, "the page")) == read_flags(read_yaml(example(), "the package"))


@pytest.mark.parametrize(
    ("kind", "title"), [(FlagFile, "flag"), (VariantFile, "variant"), (ConstraintFile, "attribute"), (SegmentFile, "segment")]
)
def test_every_key_is_documented_and_no_other(kind: type[Document], title: str) -> None:
    table = PAGE.split(f"| key of a{'n' if title == 'attribute' else ''} {title} |")[1].split("\n\n")[0]
    named = [name for row in table.split("\n")[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(named) == sorted(kind.model_fields)


def test_every_rule_on_it_is_one() -> None:
    table = PAGE.split("| rule | holds |")[1].split("\n\n")[0]
    shown = [rule for row in table.split("\n")[2:] for rule in re.findall(r"`([^`]+)`", row.split(" | ")[0])]
    rules = [rule for rule in shown if re.search(r'[" ]|true|false', rule) and rule not in ("ends with", "not in")]
    assert len(rules) > 9
    for rule in rules:
        parse_rule(rule)
