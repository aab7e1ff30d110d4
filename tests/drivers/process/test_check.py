"""What can never start is refused beforehand, with a sentence that names the key."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.process.bench import a_service
from tidegate.core.errors import Refused
from tidegate.drivers.process.check import check


def refusal(**tasks: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        check(a_service(tasks=tasks), "v1")
    assert "tasks." in caught.value.mend or "chmod" in caught.value.mend or "first line" in caught.value.mend
    return caught.value


def test_what_can_start_is_not_refused(tmp_path: Path) -> None:
    check(a_service(), "v1")
    check(a_service(tasks={"command": ["sh", "-c", "true"], "directory": str(tmp_path)}), "v1")
    check(a_service(tasks={"targets": ["nowhere.invalid:80"]}), "v1")


def test_a_command_that_is_not_on_the_path_is_named_with_the_path() -> None:
    no = refusal(command=["no-such-program"], env={"PATH": "/bin:/usr/bin"})
    assert no.what == "The command 'no-such-program' was not found on the PATH (/bin:/usr/bin)."


def test_placeholders_in_the_command_are_filled_before_it_is_looked_for(tmp_path: Path) -> None:
    program = tmp_path / "app-v1"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    check(a_service(tasks={"command": ["./app-{version}"], "directory": str(tmp_path)}), "v1")


def test_a_command_with_a_slash_is_looked_for_from_the_working_directory(tmp_path: Path) -> None:
    assert f"{tmp_path}/bin/app does not exist" in refusal(command=["bin/app"], directory=str(tmp_path)).what
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/app").write_text("#!/bin/sh\n")
    assert "is not executable" in refusal(command=["bin/app"], directory=str(tmp_path)).what
    assert "is no file" in refusal(command=["./bin"], directory=str(tmp_path)).what


def test_a_script_whose_interpreter_is_missing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "app").write_text("#!/no/such/python -u\n")
    (tmp_path / "app").chmod(0o755)
    assert "#!/no/such/python, which does not exist" in refusal(command=["./app"], directory=str(tmp_path)).what


def test_a_working_directory_that_is_missing_or_a_file_is_refused(tmp_path: Path) -> None:
    assert refusal(directory=str(tmp_path / "x")).what == f"The working directory {tmp_path}/x does not exist."
    (tmp_path / "x").touch()
    assert "is no directory" in refusal(directory=str(tmp_path / "x")).what


def test_an_unknown_user_is_refused() -> None:
    assert "knows no such user" in refusal(user="nobody-of-this-name").what


@pytest.mark.skipif(os.geteuid() == 0, reason="root may be anybody")
def test_another_user_is_refused_unless_we_are_root() -> None:
    assert "only root may" in refusal(user="root").what


def test_limits_that_may_be_set_are_tried_and_fine() -> None:
    check(a_service(tasks={"limits": {"memory": "2GB", "open_files": 64, "processes": 1000, "core": "1MB"}}), "v1")


def test_a_limit_that_the_machine_refuses_is_refused() -> None:
    most = int(Path("/proc/sys/fs/nr_open").read_text())
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 10_000_000 and most >= 10_000_000:
        pytest.skip("this machine allows every number of open files that may be asked for")
    assert "RLIMIT_NOFILE could not be set to 10000000" in refusal(limits={"open_files": 10_000_000}).what
