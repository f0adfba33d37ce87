"""The broker of `up`: private, on loopback, with passwords, the same after a restart."""

import asyncio
import importlib.util
import json
import stat
from pathlib import Path

import pytest
from gmqtt import Client
from gmqtt.mqtt.constants import MQTTv311

from jph.cli.supervise import broker as brokers
from jph.cli.supervise.broker import BrokerServer, hashed
from jph.cli.supervise.plan import broker_needed
from jph.config.broker import broker_file, broker_of
from jph.config.model import Sensor
from jph.errors import StoreError
from tests.brokers import INSTALLED, Listener, broker
from tests.support import LIMIT_S


@pytest.mark.parametrize("kind", ["mosquitto", "iotcore"])
async def test_each_broker_lets_its_users_in_and_nobody_else(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind not in INSTALLED:
        pytest.skip(f"{kind} is not installed")
    monkeypatch.setenv("JPH_STATE", str(tmp_path))
    async with broker(tmp_path, kind):
        kept = json.loads(broker_file().read_bytes())
        assert stat.S_IMODE(broker_file().stat().st_mode) == 0o600
        listener = Listener()
        await listener.connect("a/#")
        listener.publish("a/b", "1", retain=True)
        await listener.until(lambda: listener.last("a/b") == 1)
        await listener.close()
        stranger = Client("stranger")
        stranger.set_config({"reconnect_retries": -2})
        stranger.set_auth_credentials("app", "wrong")
        refused = asyncio.Event()
        stranger.on_disconnect = lambda *_: refused.set()
        entering = asyncio.create_task(
            stranger.connect("127.0.0.1", kept["port"], version=MQTTv311)
        )
        waiting = asyncio.create_task(refused.wait())
        await asyncio.wait(
            (entering, waiting), timeout=LIMIT_S, return_when=asyncio.FIRST_COMPLETED
        )
        assert refused.is_set() or entering.exception()
        entering.cancel()
        waiting.cancel()
        await asyncio.gather(entering, waiting, return_exceptions=True)
    async with broker(tmp_path, kind):
        assert json.loads(broker_file().read_bytes()) == kept


async def test_without_a_broker_the_keeper_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "mosquitto", lambda: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(StoreError, match="install mosquitto or the extra 'embedded'"):
        await BrokerServer(tmp_path).start()


def test_a_password_is_hashed_as_mosquitto_reads_it() -> None:
    salt = bytes(range(12))
    found = hashed("secret", salt)
    assert found.startswith("$7$101$AAECAwQFBgcICQoL$")
    assert len(found) == len("$7$101$AAECAwQFBgcICQoL$") + 88


def test_a_url_or_the_broker_of_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPH_STATE", str(tmp_path))
    (tmp_path / "password").write_text("secret\n")
    found = broker_of("mqtts://ann@pi.local", "$JPH_STATE/password")
    assert found == ("pi.local", 8883, "ann", "secret", True)
    assert "secret" not in repr(found)
    with pytest.raises(StoreError, match="keeps no broker"):
        broker_of("", "")
    url = {"URL": "mqtt://pi"}
    assert not broker_needed([Sensor(codifier="MQ", type="Mqtt", sensor=url)])
    assert broker_needed([Sensor(codifier="MQ", type="Mqtt")])
