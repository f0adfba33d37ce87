"""`control.py mqtt`: the broker, the node's sign of life, the app's login, what is published."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jph.cli.main import cli
from tests.brokers import Listener, broker, needs_broker

ConfigFile = Callable[..., Path]
SERVER = "heatingcontrol/serverdata"


@pytest.fixture
def path(config_file: ConfigFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("JPH_STATE", str(tmp_path))
    page = {"Codifier": "CF", "Type": "Gateway", "Sensor": {"Address": "192.0.2.7", "Port": 81}}
    node = {"Codifier": "MQ", "Type": "Mqtt", "Sensor": {"App": {}}}
    return str(config_file(node, page, {"Codifier": "CC", "Type": "ControlProgram"}))


def mqtt(path: str, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--config", path, "mqtt", *words])


def test_without_a_broker_it_says_so(path: str) -> None:
    done = mqtt(path, "status")
    assert done.exit_code != 0
    assert "keeps no broker" in done.output


@needs_broker
async def test_what_a_telephone_needs_and_what_is_published(path: str, tmp_path: Path) -> None:
    async with broker(tmp_path) as server:
        listener = Listener()
        await listener.connect(f"{SERVER}/is_alive")
        sign = '{"date": "2026-11-30T17:04:00+01:00", "ver": "1"}'
        listener.publish(f"{SERVER}/is_alive", sign, retain=True)
        await listener.until(lambda: listener.last(f"{SERVER}/is_alive"))
        shown = (await asyncio.to_thread(mqtt, path, "status")).output
        assert f"127.0.0.1:{server.ports[0]}, answers" in shown
        assert "MQ: sign of life" in shown
        assert "server 192.0.2.7, port 81, not secure; user app, password …" in shown
        secret = (await asyncio.to_thread(mqtt, path, "status", "--password")).output
        assert len(secret) > len(shown) - 30
        assert "--password" not in secret
        heard = await asyncio.to_thread(mqtt, path, "listen", "heatingcontrol/#", "--count", "1")
        assert f"kept {SERVER}/is_alive {sign}" in heard.output
        await listener.close()
