"""The responder: turns, rates, and proofs of address."""

import asyncio

from jph.node.outbox import Outbox
from jph.retransmit.messages import (
    Challenge,
    Envelope,
    EpochsRequest,
    ResendReport,
    ResentReadings,
    decode_unicast,
    encode_unicast,
    unpack_readings,
)
from jph.retransmit.ranges import Interval
from jph.retransmit.resend_buffer import ResendBuffer
from jph.retransmit.resend_store import ResendStore
from jph.retransmit.responder import (
    ADDRESS_BURST,
    ADDRESS_RATE,
    LIMIT,
    RATE,
    UNPROVED_BURST,
    AddressRates,
    Origin,
    Pace,
    Queue,
    Responder,
    Ticket,
)
from jph.wire.codec import Dialect, Quality, decode_data
from tests.support import until

ONE = Origin((None, ("192.0.2.1", 1)), "Q1", "AA", 0)
TWO = ONE._replace(where=(None, ("192.0.2.2", 1)))


def take_all(queue: Queue) -> list[tuple[Origin, list[Interval]]]:
    taken = []
    while (turn := queue.take(AddressRates(), 0.0)) is not None:
        taken.append(turn[:2])
    return taken


def at(host: str, port: int = 1, code: str = "Q1") -> Origin:
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
    queue, rates = Queue(), AddressRates()
    queue.put(at("192.0.2.1"), [(5, 1)])
    queue.put(at("192.0.2.2"), [(5, 1)])
    rates.spend("192.0.2.1", ADDRESS_BURST, 1_000.0)
    assert rates.free_s("192.0.2.1") == 1_000.0
    rates.spend("192.0.2.1", ADDRESS_RATE, 1_000.0)
    turn = queue.take(rates, 1_000.0)
    assert turn is not None
    assert turn[0] == at("192.0.2.2")
    assert queue.take(rates, 1_000.0) is None
    assert queue.due_s(rates) == 1_001.0
    assert queue.take(rates, 1_001.0) == (at("192.0.2.1"), [(5, 1)], Ticket())
    for number in range(5_000):
        rates.spend(str(number), 1, 2_000.0 + number)
    assert len(rates._free_s) <= 1_024


def test_the_pace() -> None:
    pace, now_s, sent = Pace(RATE), 100.0, 0
    while now_s < 101.0:
        now_s += pace.spend(20_000, now_s)
        sent += 20_000
    assert RATE <= sent <= 1.05 * RATE
    assert pace.spend(100, now_s + 60) == 0.0


async def test_two_that_ask_for_much_take_turns() -> None:
    ring = ResendBuffer(900, 10**7)
    outbox = Outbox("AA", 7, ring)
    outbox.blocks([("AA", n) for n in range(2_000)], 5, Quality.GOOD, Dialect.JPH)
    turns: list[tuple[Origin, int]] = []
    reports: list[ResendReport] = []
    came: list[int] = []

    def send(asker: Origin, datagrams: list[bytes]) -> None:
        count = 0
        for datagram in datagrams:
            message = decode_unicast(datagram)
            if isinstance(message, ResendReport):
                reports.append(message)
                continue
            assert isinstance(message, ResentReadings)
            assert len(datagram) <= 1280
            readings = list(map(decode_data, unpack_readings(message.joined)))
            count += len(readings)
            if asker is ONE:
                came.extend(reading.sequence for reading in readings)
        turns.append((asker, count))

    responder = Responder(ResendStore(7, ring), send, lambda: 5)
    first = ring.tracks["AA"].first
    task = asyncio.create_task(responder.serve())
    try:
        for asker in (ONE, TWO):
            responder.ask(asker, [(first, 5_000)], Ticket(9, (first, 5_000)))
        await until(lambda: responder.answered == 2 * 2_001)
        await until(lambda: len(reports) >= 2)
    finally:
        task.cancel()
    assert max(size for _, size in turns) <= LIMIT + 2, "the announcement beside"
    assert [asker is ONE for asker, _ in turns[:6]] == [True, False] * 3
    assert came == [(first + n) % 2**31 for n in range(2_001)]
    assert reports[0].envelope.request_id == 9
    assert reports[0].ranges == (((first + 2_001) % 2**31, 0),)


async def test_a_request_that_fails_does_not_end_the_answers() -> None:
    ring, failed = ResendBuffer(900, 10**6), list[Exception]()
    Outbox("AA", 7, ring).blocks([("AA", 1.0)], 5, Quality.GOOD, Dialect.JPH)
    first = ring.tracks["AA"].first
    sent: list[bytes] = []

    def send(origin: Origin, datagrams: list[bytes]) -> None:
        if origin is ONE:
            raise ValueError("no such address")
        sent.extend(datagrams)

    responder = Responder(ResendStore(7, ring), send, lambda: 5, None, failed.append)
    task = asyncio.create_task(responder.serve())
    try:
        for asker in (ONE, TWO):
            responder.ask(asker, [(first, 2)], Ticket(9, (first, 2)))
        await until(lambda: sent)
    finally:
        task.cancel()
    assert [str(error) for error in failed] == ["no such address"]


def challenged(responder: Responder, origin: Origin, cookie: int = 0, now_s: float = 0.0) -> bool:
    return not responder.proves(origin, 5, cookie, now_s)


def test_a_request_without_proof_gets_no_more_than_its_size() -> None:
    sent: list[bytes] = []
    store = ResendStore(7, ResendBuffer(900, 10**6))
    responder = Responder(store, lambda _, datagrams: sent.extend(datagrams), lambda: 5)
    assert challenged(responder, ONE)
    (datagram,) = sent
    challenge = decode_unicast(datagram)
    assert isinstance(challenge, Challenge)
    cookie = challenge.envelope.cookie
    assert challenge.envelope.request_id == 5
    smallest = EpochsRequest(Envelope(1, 2, "Q1", "AA", 5), 0)
    assert len(datagram) <= len(encode_unicast(smallest))
    assert not challenged(responder, ONE, cookie)
    assert challenged(responder, TWO, cookie), "a cookie proves one address"
    assert challenged(responder, at("192.0.2.1", 2), cookie), "and one port"
    assert not challenged(responder, ONE, cookie, 4_000.0)
    assert challenged(responder, TWO, 0, 4_000.0)
    assert not challenged(responder, ONE, cookie, 4_001.0)
    challenged(responder, TWO, 0, 8_000.0)
    assert challenged(responder, ONE, cookie, 8_001.0), "a cookie ends after two hours"


def test_requests_that_cannot_prove_their_address_share_a_small_rate() -> None:
    queue, rates = Queue(), AddressRates()
    old = [at(f"192.0.2.{n}")._replace(legacy=True) for n in (1, 2)]
    for origin in (*old, at("192.0.2.1")):
        queue.put(origin, [(5, 1)])
    rates.spend("", 2 * UNPROVED_BURST, 1_000.0)
    turn = queue.take(rates, 1_000.0)
    assert turn is not None
    assert turn[0] == at("192.0.2.1")
    assert queue.take(rates, 1_000.0) is None
    assert queue.due_s(rates) > 1_005.0
