"""Who is answered, when, and how fast; and what comes in order."""

import asyncio

from jph.outbox import Outbox
from jph.repair.answering import LIMIT, RATE, Answering, Asker, Pace, Queue
from jph.repair.history import History
from jph.repair.letters import Repair, decode_letter, is_letter
from jph.repair.ordering import Order
from jph.repair.ring import Ring
from jph.wire import Dialect, Quality, Reading, decode_data
from tests.support import until

ONE = Asker((None, ("192.0.2.1", 1)), "Q1", "AA", 0, plain=False)
TWO = ONE._replace(where=(None, ("192.0.2.2", 1)))


def test_what_is_asked_twice_is_answered_once() -> None:
    queue = Queue()
    for _ in range(3):
        queue.put(ONE, [(10, 5), (12, 8), (40, 1), (99, 0)])
    queue.put(TWO, [(2**31 - 2, 4)])
    assert queue.take() == (ONE, [(10, 10), (40, 1), (99, 0)])
    assert queue.take() == (TWO, [(0, 2), (2**31 - 2, 2)])
    assert not queue


def test_a_queue_is_bounded() -> None:
    queue = Queue()
    for port in range(5_000):
        queue.put(ONE._replace(where=(None, ("192.0.2.1", port))), [(n, 1) for n in range(0, 9, 2)])
    askers = 0
    while queue:
        queue.take()
        askers += 1
    assert askers == 1_024


def test_the_pace() -> None:
    pace, now_s, sent = Pace(RATE), 100.0, 0
    while now_s < 101.0:
        now_s += pace.spend(20_000, now_s)
        sent += 20_000
    assert RATE <= sent <= 1.05 * RATE
    assert pace.spend(100, now_s + 60) == 0.0


async def test_two_that_ask_for_much_take_turns() -> None:
    ring = Ring(900, 10**7)
    outbox = Outbox("AA", 7, ring)
    outbox.readings([("AA", n) for n in range(2_000)], 5, Quality.GOOD, Dialect.JPH)
    turns: list[tuple[Asker, int]] = []
    letters: list[Repair] = []
    came: list[int] = []

    def send(asker: Asker, datagrams: list[bytes]) -> None:
        turns.append((asker, len(datagrams)))
        for datagram in datagrams:
            if is_letter(datagram):
                letters.append(decode_letter(datagram))  # type: ignore[arg-type]
            elif asker is ONE:
                came.append(decode_data(datagram).sequence)

    answering = Answering(History(7, ring), send, lambda: 5)
    first = ring.tracks["AA"].first
    task = asyncio.create_task(answering.serve())
    try:
        for asker in (ONE, TWO):
            answering.ask(asker, [(first, 5_000)])
        await until(lambda: answering.answered == 2 * 2_001)
        await until(lambda: len(letters) >= 2)
    finally:
        task.cancel()
    assert max(size for _, size in turns) <= LIMIT + 2, "the announcement and a letter beside"
    assert [asker is ONE for asker, _ in turns[:6]] == [True, False] * 3
    assert came == [(first + n) % 2**31 for n in range(2_001)]
    assert letters[0] == Repair(7, 5, "AA", "Q1", (((first + 2_001) % 2**31, 0),), 7)


def readings(*sequences: int, source: str = "AA") -> list[Reading]:
    return [Reading(s % 2**31, 1, 5, "i", source, "@@", 1, 0, s) for s in sequences]


def test_order_waits_for_what_is_missing() -> None:
    missing: dict[str, int | None] = {"AA": None}
    order = Order(lambda source, epoch: missing.get(source))
    assert order.put(readings(2**31 - 2), 0.0) == readings(2**31 - 2)
    missing["AA"] = 2**31 - 1
    assert order.put(readings(2**31, 2**31 + 1), 0.1) == []
    assert order.put(readings(7, source="BB"), 0.2) == readings(7, source="BB")
    missing["AA"] = None
    late = readings(2**31 - 1)
    assert order.put(late, 0.3) == late + readings(2**31, 2**31 + 1)
    assert order.put(readings(2**31 + 2), 0.4) == readings(2**31 + 2)


def test_order_does_not_wait_for_ever() -> None:
    order = Order(lambda source, epoch: 1)
    assert order.put(readings(2, 3), 0.0) == []
    assert order.put(readings(5), 6.0) == []
    assert order.due_s == 10.0
    assert order.release(10.0) == readings(2, 3)
    assert order.due_s == 16.0
    many = order.put(readings(*range(6, 20_006)), 11.0)
    assert [r.sequence for r in many] == list(range(5, 10_006))
