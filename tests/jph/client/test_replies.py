"""Readings that follow commands: one membership of the data group, and judgement of readings."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from jph.client.client import Client
from jph.client.commands import Send
from jph.client.limits import Limits
from jph.client.replies import GroupReplies, Replies
from jph.client.setting import SettingResult, change
from jph.config.model import Network, Sensor
from jph.net.channel import Channel
from jph.node.outbox import Outbox
from jph.wire.codec import Dialect, Flag, Quality, Reading, decode_data
from tests.support import LIMIT_S, until

SENSOR = Sensor("11", "Elsewhere", control="enabled")


def reading(value: float, quality: Quality = Quality.GOOD) -> Reading:
    return Reading(1, 1, 5000, "d", "11", "@@", 1, quality, value)


def client(send: Send, **limits: Any) -> Client:
    return Client(send, Replies(), Limits(**limits))


async def test_commands_in_quick_succession_share_one_membership(
    network: Callable[..., Network], monkeypatch: Any
) -> None:
    opened = []
    really = Channel.open

    def opens(self: Channel, listen: bool) -> Any:
        opened.append(listen)
        return really(self, listen)

    monkeypatch.setattr(Channel, "open", opens)
    house = network()
    replies = GroupReplies(lambda: house, stay_s=0.01)
    async with replies.hear(["11"]):
        assert replies.joined
        async with replies.hear(["12"]):
            assert replies.joined
    async with replies.hear(["13"]):
        assert replies.joined
    assert opened == [True]
    await until(lambda: not replies.joined)
    async with replies.hear(["13"]):
        assert replies.joined
    assert opened == [True, True]
    replies.close()
    assert not replies.joined


async def test_an_announcement_is_no_value(network: Callable[..., Network]) -> None:
    house = network()
    interfaces = house.multicast.interfaces_of(socket.gethostname())
    sender = Channel(house.multicast.data, interfaces, house.multicast.ttl)
    values = [("11", 5.0), ("12", 6.0)]
    blocks = Outbox("11", 7).blocks(values, 5000, Quality.GOOD, Dialect.JPH)
    replies = GroupReplies(lambda: house)
    try:
        async with replies.hear(["11", "12"]) as heard:
            sender.open(listen=False)
            sender.send_blocks(blocks)  # an announcement goes before each
            assert await heard.until(lambda: len(heard.readings) == 2, LIMIT_S)
            assert [heard.readings[code].value for code in ("11", "12")] == [5.0, 6.0]
            heard.readings.clear()
            announcement = blocks[0].joined[: blocks[0].size]
            sender.send(announcement)
            sender.send(blocks[-1].joined[-blocks[-1].size :])
            assert await heard.until(lambda: "12" in heard.readings, LIMIT_S)
            assert decode_data(announcement).flag == "n"
            assert list(heard.readings) == ["12"]
    finally:
        sender.close()
        replies.close()


async def test_a_stale_reading_may_be_followed_by_a_good_one() -> None:
    """A card says at once that its chip is away, and a moment later that it is back."""
    speaker = client(lambda *_: None, setting_s=60)
    task: asyncio.Task[SettingResult] = asyncio.create_task(change(speaker, SENSOR, Flag.SET, 3))
    await until(lambda: speaker.replies._takers)
    speaker.replies.take([reading(3, Quality.STALE)])
    await asyncio.sleep(0)
    assert not task.done()
    speaker.replies.take([reading(3)])
    result = await task
    assert result.done
    assert result.reading == reading(3)


async def test_a_reading_that_stays_stale_is_granted_and_not_done() -> None:
    def send(flag: str, to: str, number: float) -> None:
        speaker.replies.take([reading(number, Quality.STALE)])

    speaker = client(send, setting_s=0.01)
    result = await change(speaker, SENSOR, Flag.SET, 3)
    assert (result.granted, result.stale, result.done) == (True, True, False)


async def test_without_a_reading_the_node_is_pinged() -> None:
    sent: list[str] = []

    def send(flag: str, to: str, number: float) -> None:
        sent.append(f"{flag} {to}")

    result = await change(client(send, setting_s=0.01, answer_s=0.01), SENSOR, Flag.SET, 3)
    assert sent == ["A 11", "P 11"]
    assert result.reading is None
    assert result.node is not None
    assert not result.node.answered
