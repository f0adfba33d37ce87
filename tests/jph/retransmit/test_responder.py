"""Answers of the responder: order, rate and recipients."""

import asyncio

from jph.node.outbox import Outbox
from jph.retransmit.messages import Asked, Repair, decode_letter, is_letter
from jph.retransmit.ordering import Order
from jph.retransmit.resend_buffer import Ring
from jph.retransmit.resend_history import History
from jph.retransmit.responder import (
    ADDRESS_BURST,
    ADDRESS_RATE,
    LIMIT,
    RATE,
    Answering,
    Asker,
    Budgets,
    Pace,
    Queue,
)
from jph.wire.codec import Dialect, Quality, Reading, decode_data
from tests.support import until

ONE = Asker((None, ("192.0.2.1", 1)), "Q1", "AA", 0, plain=False)
TWO = ONE._replace(where=(None, ("192.0.2.2", 1)))


def take_all(queue: Queue) -> list[tuple[Asker, list[Asked]]]:
    taken = []
    while (turn := queue.take(Budgets(), 0.0)) is not None:
        taken.append(turn)
    return taken


def at(host: str, port: int = 1, code: str = "Q1") -> Asker:
    return ONE._replace(where=(None, (host, port)), code=code)


def test_what_is_asked_twice_is_answered_once() -> None:
    queue = Queue()
    for _ in range(3):
        queue.put(ONE, [(10, 5), (12, 8), (40, 1), (99, 0)])
    queue.put(TWO, [(2**31 - 2, 4)])
    assert take_all(queue) == [
        (ONE, [(10, 10), (40, 1), (99, 0)]),
        (TWO, [(0, 2), (2**31 - 2, 2)]),
    ]
    assert not queue


def test_one_address_cannot_keep_another_waiting() -> None:
    queue = Queue()
    for number in range(5_000):
        code = f"{number % 36:X}"
        queue.put(at("192.0.2.1", number, code), [(n, 1) for n in range(0, 200, 2)])
    queue.put(at("192.0.2.2"), [(5, 1)])
    turns = take_all(queue)
    assert turns[1] == (at("192.0.2.2"), [(5, 1)])
    assert len(turns) == 256 + 1
    assert sum(len(ranges) for _, ranges in turns) <= 8_192 + 1


def test_what_one_address_may_have_is_bounded_and_grows_again() -> None:
    queue, budgets = Queue(), Budgets()
    queue.put(at("192.0.2.1"), [(5, 1)])
    queue.put(at("192.0.2.2"), [(5, 1)])
    budgets.spend("192.0.2.1", ADDRESS_BURST, 1_000.0)
    assert budgets.free_s("192.0.2.1") == 1_000.0
    budgets.spend("192.0.2.1", ADDRESS_RATE, 1_000.0)
    turn = queue.take(budgets, 1_000.0)
    assert turn is not None
    assert turn[0] == at("192.0.2.2")
    assert queue.take(budgets, 1_000.0) is None
    assert queue.due_s(budgets) == 1_001.0
    assert queue.take(budgets, 1_001.0) == (at("192.0.2.1"), [(5, 1)])
    for number in range(5_000):
        budgets.spend(str(number), 1, 2_000.0 + number)
    assert len(budgets._free_s) <= 1_024


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
    outbox.blocks([("AA", n) for n in range(2_000)], 5, Quality.GOOD, Dialect.JPH)
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
