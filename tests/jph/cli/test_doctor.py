"""`doctor` on real nodes, and its support bundle."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jph.cli.doctor.bundle import without_secrets, write_bundle
from jph.cli.doctor.gather import gather
from jph.cli.terminal.context import App
from jph.client.doctor.findings import findings
from jph.config.model import load
from nodes.setpoint import Setpoint
from tests.jph.cli.programs import CONSOLE, setpoint
from tests.support import running

ConfigFile = Callable[..., Path]
LISTEN_S = 1.0


async def checks(config: Path) -> set[tuple[str, str]]:
    """Return check and subject of each finding that is not of the machine that tests run on."""
    facts = await gather(App(str(config)), LISTEN_S)
    facts = facts._replace(machine=facts.machine._replace(synchronised=None, dropped=0))
    return {(each.check, each.subject.partition(" ")[0]) for each in findings(facts)}


async def test_a_healthy_house_has_no_finding(config_file: ConfigFile) -> None:
    config = config_file(setpoint("S1"), setpoint("S2"), CONSOLE)
    network = load(str(config))
    async with running(Setpoint("S1", network), Setpoint("S2", network)):
        assert await checks(config) == set()


async def test_silent_halted_and_doubled_nodes_and_strangers_are_found(
    config_file: ConfigFile, tmp_path: Path
) -> None:
    network = load(str(config_file(setpoint("S1"), setpoint("S2"), setpoint("X1"), CONSOLE)))
    config = config_file(setpoint("S1"), setpoint("S2"), setpoint("S3"), CONSOLE)
    halted = Setpoint("S2", network)
    halted.active = False
    async with running(Setpoint("S1", network), halted, Setpoint("X1", network)):
        found = await checks(config)
    assert {("silent", "S3"), ("halted", "S2"), ("versions", "X1")} <= found
    assert not [check for check, subject in found if subject == "S1"]


async def test_the_bundle_has_no_secret(config_file: ConfigFile, tmp_path: Path) -> None:
    secret = "hunter2-of-the-house"
    redis = {"URL": f"redis://user:{secret}@127.0.0.1:1/0"}
    config = config_file(setpoint("S1"), CONSOLE, Redis=redis, Token=secret, Note=f"x {secret}")
    facts = await gather(App(str(config)), 0.2)
    bundle = tmp_path / "house.tar.gz"
    write_bundle(bundle, facts, findings(facts), str(config))
    with tarfile.open(bundle) as archive:
        names = archive.getnames()
        texts = [opened.read() for m in archive if (opened := archive.extractfile(m)) is not None]
    assert {"jph/findings.json", "jph/facts.json", "jph/config.json"} <= {*names}
    assert secret.encode() not in b"".join(texts)
    assert any(b"redis://" in text for text in texts)


def test_passwords_tokens_and_keys_are_left_out_of_a_config() -> None:
    config: dict[str, Any] = {"A": [{"ApiToken": "x", "HouseKey": "y", "Name": "Kitchen"}]}
    assert json.dumps(without_secrets(config)).count("…".encode("unicode_escape").decode()) == 2
    assert without_secrets(config)["A"][0]["Name"] == "Kitchen"
