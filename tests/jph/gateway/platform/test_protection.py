"""Protection: hosts, origins, headers."""

import pytest

from jph.gateway.platform.protection import HEADERS, POLICY, known_hosts, refusal

HOSTS = frozenset({"localhost", "pi", "jph.example.org"})
COMMAND = {"host": "pi:8080"}


@pytest.mark.parametrize(
    ("host", "passes"),
    [
        ("localhost:8080", True),
        ("LOCALHOST", True),
        ("pi", True),
        ("jph.example.org", True),
        ("127.0.0.1:8080", True),
        ("192.168.1.7", True),
        ("[::1]:8080", True),
        ("evil.example.com:8080", False),
        ("localhost.evil.example.com", False),
        ("pi@evil.example.com", False),
        ("127.0.0.1.evil.example.com", False),
        ("[::1", False),
        ("", False),
    ],
)
def test_only_our_own_names_are_answered(host: str, passes: bool) -> None:
    refused = refusal("GET", {"host": host}, HOSTS)
    assert (refused is None) is passes
    if refused:
        assert refused.status == 421


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, True),
        ({"origin": "http://pi:8080"}, True),
        ({"origin": "https://pi:8080", "sec-fetch-site": "same-origin"}, True),
        ({"origin": "http://pi:8081"}, False),
        ({"origin": "http://evil.example.com"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://["}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "http://pi:8080", "sec-fetch-site": "cross-site"}, False),
        ({"origin": "http://evil.example.com", "sec-fetch-site": "same-site"}, False),
    ],
)
def test_commands_come_from_our_own_page(headers: dict[str, str], passes: bool) -> None:
    refused = refusal("POST", COMMAND | headers, HOSTS)
    assert (refused is None) is passes
    if refused:
        assert refused.status == 403


def test_a_session_without_an_origin_commands_nothing() -> None:
    refused = refusal("POST", COMMAND, HOSTS, with_session=True)
    assert refused is not None
    assert refused.status == 403
    assert refusal("GET", COMMAND, HOSTS, with_session=True) is None


@pytest.mark.parametrize(
    ("origin", "passes"),
    [("https://pi:8443", True), ("https://pi", True), ("https://evil.example.com:8443", False)],
)
def test_a_proxy_may_leave_the_port_out(origin: str, passes: bool) -> None:
    refused = refusal("POST", {"host": "pi", "origin": origin}, HOSTS, any_port=True)
    assert (refused is None) is passes


def test_other_sites_may_link_to_the_page() -> None:
    assert refusal("GET", {"host": "pi", "sec-fetch-site": "cross-site"}, HOSTS) is None


def test_known_hosts_are_this_machine_and_what_the_config_adds() -> None:
    hosts = known_hosts(["JPH.example.org"])
    assert {"localhost", "jph.example.org"} <= hosts
    assert "" not in hosts


def test_the_policy_allows_nothing_inline() -> None:
    assert "unsafe" not in POLICY
    assert "default-src 'none'" in POLICY
    assert HEADERS["x-frame-options"] == "DENY"
