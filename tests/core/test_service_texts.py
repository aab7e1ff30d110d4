"""What of a service file's texts may be shown."""

from __future__ import annotations

import pytest

from tidegate.core.service_texts import place_of


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/services/T0/B0/geheim",
        "https://geheim:geheim@hooks.example.com",
        "https://user:ge@heim@hooks.example.com/x",
        "https://hooks.example.com?key=geheim",
        "https://hooks.example.com#geheim",
        "https://hooks.example.com/@geheim",
        "https://hooks.example.com?to=ann@geheim/x",
    ],
)
def test_of_a_webhook_only_its_place_is_shown(url: str) -> None:
    assert place_of(url) == "https://hooks.example.com"
