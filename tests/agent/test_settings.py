"""The agent's settings, from options and from Amazon's variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.agent.settings import AgentSettings, Options, read_agent_settings
from tidegate.core.errors import Invalid

SOCKET = Path("/run/tidegate/api.sock")
PATH = "/applications/shop/environments/prod/configurations/flags"


def read(env: dict[str, str], **options: object) -> AgentSettings:
    return read_agent_settings(Options(**{"application": "shop", "environment": "prod", **options}), env, SOCKET)  # type: ignore[arg-type]


def test_without_anything_said_it_is_amazon_s_port_on_loopback_and_the_control_plane_of_this_home() -> None:
    settings = read({"HOME": "/home/ann"})
    assert (settings.host, settings.port, settings.local) == ("127.0.0.1", 2772, True)
    assert (settings.control, settings.poll) == (str(SOCKET), 45.0)
    assert settings.cache is not None
    assert settings.cache.parts[-3:] == (".cache", "tidegate", "agent")


def test_amazon_s_variables_are_understood() -> None:
    env = {
        "HTTP_PORT": "3000",
        "POLL_INTERVAL": "15",
        "BACKUP_DIRECTORY": "/var/flags",
        "ACCESS_TOKEN": "x",
        "LOG_LEVEL": "WARN",
    }
    settings = read(env)
    assert (settings.port, settings.poll, settings.cache, settings.access_token, settings.log_level) == (
        3000,
        15.0,
        Path("/var/flags"),
        "x",
        30,
    )


def test_options_win() -> None:
    env = {"HTTP_PORT": "3000", "TIDEGATE_CONTROL": "http://other", "PREFETCH_LIST": "other:test:flags"}
    settings = read(env, port=0, control="http://this", listen="0.0.0.0")
    assert (settings.application, settings.port, settings.control, settings.local) == ("shop", 0, "http://this", False)


@pytest.mark.parametrize("listed", [PATH, f"{PATH}, {PATH}2", "shop:prod:flags", f"shop:prod:flags,{PATH}"])
def test_the_prefetch_list_says_whose_flags(listed: str) -> None:
    settings = read({"PREFETCH_LIST": listed}, application=None, environment=None)
    assert (settings.application, settings.environment) == ("shop", "prod")


@pytest.mark.parametrize(
    ("env", "where"),
    [
        ({"HTTP_PORT": "99999"}, "HTTP_PORT"),
        ({"HTTP_PORT": "http"}, "HTTP_PORT"),
        ({"POLL_INTERVAL": "0"}, "POLL_INTERVAL"),
        ({"POLL_INTERVAL": "soon"}, "POLL_INTERVAL"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL"),
        ({"PREFETCH_LIST": "/applications/shop"}, "PREFETCH_LIST"),
        ({"PREFETCH_LIST": "a:b:c,d:e:f"}, "PREFETCH_LIST"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(env: dict[str, str], where: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(env)
    assert (refused.value.where, bool(refused.value.mend)) == (where, True)


def test_without_an_application_it_says_what_to_give() -> None:
    with pytest.raises(Invalid, match="--application"):
        read({}, application=None)
    with pytest.raises(Invalid, match="no address"):
        read({}, listen="everywhere")


def test_appconfig_is_read_instead_of_a_control_plane() -> None:
    settings = read({}, appconfig="shop/prod/flags", application=None, environment=None)
    assert (settings.application, settings.environment, settings.control) == ("shop", "prod", "")
    assert settings.appconfig == "shop/prod/flags"
    named = read({"TIDEGATE_APPCONFIG": "abc1234/def5678/ghi9012"})
    assert (named.application, named.environment, named.appconfig) == ("shop", "prod", "abc1234/def5678/ghi9012")
    assert not read({"TIDEGATE_APPCONFIG": "a/b/c"}, control="/run/api.sock").appconfig


def test_a_place_in_appconfig_has_three_names_and_no_control_plane_beside_it() -> None:
    with pytest.raises(Invalid, match="no place in AppConfig"):
        read({}, appconfig="shop/flags")
    with pytest.raises(Invalid, match="a control plane or AppConfig"):
        read({}, appconfig="shop/prod/flags", control="/run/api.sock")
