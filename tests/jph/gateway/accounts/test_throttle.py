"""Waiting longer after each failure, in tables that do not grow. No clock but the test's."""

import pytest

from jph.gateway.accounts.throttle import (
    FORGET_S,
    MOST_KEYS,
    OF_ADDRESS,
    OF_NAME,
    LoginThrottle,
    place_of,
)


def waits(throttle: LoginThrottle, address: str, name: str, attempts: int) -> list[float]:
    """Attempt as soon as allowed each time; return how long each had to wait."""
    now_s, waited = 0.0, []
    for _ in range(attempts):
        wait_s = throttle.enter(address, name, now_s)
        waited.append(wait_s)
        if wait_s:
            now_s += wait_s
            assert throttle.enter(address, name, now_s) == 0
    return waited


def test_the_wait_doubles_up_to_a_minute_for_a_name() -> None:
    waited = waits(LoginThrottle(), "192.0.2.1", "ann", 12)
    assert waited[: OF_NAME.free] == [0.0] * OF_NAME.free
    assert waited[OF_NAME.free :] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_an_address_that_tries_many_names_waits_too() -> None:
    throttle = LoginThrottle()
    tries = [throttle.enter("192.0.2.1", f"user{n}", 0.0) for n in range(OF_ADDRESS.free + 1)]
    assert tries == [0.0] * OF_ADDRESS.free + [OF_ADDRESS.first_s]
    assert throttle.enter("192.0.2.2", "user0", 0.0) == 0


def test_many_addresses_against_one_name_wait() -> None:
    throttle = LoginThrottle()
    tries = [throttle.enter(f"192.0.2.{n}", "Ann", 0.0) for n in range(OF_NAME.free + 1)]
    assert tries[-1] == OF_NAME.first_s
    assert throttle.enter("192.0.2.99", "ANN", 0.5) > 0, "capitals are no way around"


def test_who_is_right_starts_anew() -> None:
    throttle = LoginThrottle()
    waits(throttle, "192.0.2.1", "ann", 8)
    throttle.right("192.0.2.1", "ann")
    assert throttle.enter("192.0.2.1", "ann", 1000.0) == 0
    assert len(throttle) == 2


def test_failures_are_forgotten_after_an_hour() -> None:
    throttle = LoginThrottle()
    for _ in range(OF_NAME.free):
        assert throttle.enter("192.0.2.1", "ann", 0.0) == 0
    assert throttle.enter("192.0.2.1", "ann", FORGET_S + 1) == 0
    assert throttle.enter("192.0.2.1", "ann", FORGET_S + 1) == 0


def test_the_tables_are_bounded() -> None:
    throttle = LoginThrottle()
    for n in range(3 * MOST_KEYS):
        throttle.enter(f"2001:db8:{n:x}::1", f"user{n}", float(n))
    assert len(throttle) == 2 * MOST_KEYS


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("unix:", "unix:", True),
    ],
)
def test_an_ipv6_network_is_one_place(one: str, other: str, same: bool) -> None:
    assert (place_of(one) == place_of(other)) is same


@pytest.mark.parametrize("other", [" ann", "ann\u3000", "\u2009Ann \u2003"])
def test_blanks_around_a_name_are_no_way_around(other: str) -> None:
    throttle = LoginThrottle()
    for place in range(OF_NAME.free):
        throttle.enter(f"192.0.2.{place}", "ann", 0.0)
    assert throttle.enter("192.0.2.99", other, 0.5) > 0


def test_nor_is_another_encoding_of_it() -> None:
    throttle = LoginThrottle()
    for place in range(OF_NAME.free):
        throttle.enter(f"192.0.2.{place}", "zo\u00e9", 0.0)
    assert throttle.enter("192.0.2.99", "zoe\u0301", 0.5) > 0


def test_who_was_in_is_not_kept_out_by_those_who_guess_elsewhere() -> None:
    throttle = LoginThrottle()
    assert throttle.enter("192.0.2.1", "ann", 0.0) == 0
    throttle.right("192.0.2.1", "ann")
    for place in range(20):
        throttle.enter(f"198.51.100.{place}", "ann", 1.0)
    assert throttle.enter("198.51.100.99", "ann", 1.5) > 0
    assert throttle.enter("192.0.2.1", "Ann ", 1.5) == 0
    assert throttle.enter("192.0.2.1", "ann", 1.5) > 0, "that was the one attempt"


def test_places_where_people_were_are_bounded() -> None:
    throttle = LoginThrottle()
    for number in range(MOST_KEYS + 50):
        throttle.right(f"10.0.{number // 250}.{number % 250}", "ann")
    assert len(throttle._known) == MOST_KEYS
