"""The commands of a sealed house: from the first key to a rotation, on two state directories."""

import asyncio
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("cryptography")
pytest.importorskip("argon2")

from jph.cli.main import cli
from jph.cli.sealing import enrolling
from jph.cli.sealing import house as houses
from jph.config import last_good
from jph.config.sealed import Refused, Signed, fetch_signed
from jph.errors import SealError
from jph.node import handover, kinds
from jph.seal import identity
from jph.seal.document import signature_line, with_keys
from jph.seal.enrolment import Line, Offer
from jph.seal.generation import open_generation_key
from jph.seal.identity import HouseKey, PublicKeys, load_keys
from jph.seal.roster import Rights, Roster
from jph.seal.trust import Trust, load_trust, save_trust
from tests.support import udp_port

Command = Callable[..., Result]
CONFIG = {
    "Multicast": {
        "Control-Channel": {"Address": "239.255.77.91", "Port": 0},
        "Data-Channel": {"Address": "239.255.77.92", "Port": 0},
        "Interfaces": {"*": "lo"},
        "TTL": 0,
    },
    "Sensors": [
        {"Codifier": "SP", "Type": "Setpoint", "Name": "Setpoint"},
        {"Codifier": "P1", "Type": "Setpoint", "Name": "Another"},
        {"Codifier": "CC", "Type": "ControlProgram", "Name": "Console"},
    ],
    "Hosts": {"*": ["SP"], "pi-cellar": ["P1"]},
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JPH_STATE", str(tmp_path / "var"))
    monkeypatch.setenv("JPH_HOUSE_PASSPHRASE", "correct horse")
    monkeypatch.setattr(identity, "_MEMORY_KIB", 1024)
    path = tmp_path / "config.json"
    document = json.loads(json.dumps(CONFIG))
    for channel in ("Control-Channel", "Data-Channel"):
        with udp_port() as port:
            document["Multicast"][channel]["Port"] = port
    path.write_text(json.dumps(document, indent=2))
    return path


@pytest.fixture
def command(config: Path) -> Command:
    def run(*arguments: str, status: int = 0) -> Result:
        start = ["--config", str(config), "--patience", "0.01"]
        done = CliRunner().invoke(cli, [*start, *arguments], catch_exceptions=False)
        assert done.exit_code == status, done.output
        return done

    return run


def report(done: Result) -> dict[str, object]:
    found = json.loads(done.stdout.splitlines()[-1] if done.stdout[0] != "{" else done.stdout)
    assert isinstance(found, dict)
    return found


def test_a_house_is_sealed_edited_rotated_and_loses_a_member(
    config: Path, command: Command, tmp_path: Path
) -> None:
    state = tmp_path / "var"
    assert report(command("seal", "status", "--json"))["level"] == "open"
    made = report(command("seal", "--json"))
    assert made["members"] == ["CC", "SP"]
    assert made["to_enrol"] == {"pi-cellar": ["P1"]}
    assert fetch_signed(str(config)).roster is not None

    signed = config.read_bytes()
    config.write_text(config.read_text().replace('"Setpoint",\n      "Name"', '"Setpoint", "Name"'))
    with pytest.raises(Refused, match="seal sign"):
        fetch_signed(str(config))
    assert "seal sign" in command("seal", "status", status=1).output
    assert "seal sign first" in command("rotate", status=1).output
    fallback = last_good.fetch_or_copy(str(config))
    assert fallback.document == signed
    assert "seal sign" in fallback.copy_of

    assert report(command("seal", "sign", "--json"))["serial"] == 2
    assert "signed already" in command("seal", "sign").output
    assert report(command("seal", "--demand", "--json"))["level"] == "demand"
    rotated = report(command("rotate", "--json"))
    assert (rotated["generation"], rotated["serial"]) == (2, 4)
    assert "no member" in command("revoke", "P1", status=1).output
    assert report(command("revoke", "SP", "--json"))["generation"] == 3
    roster = fetch_signed(str(config)).roster
    assert roster is not None
    assert [*roster.members] == ["CC"]
    assert open_generation_key(roster, "CC", load_keys(state, "CC"))
    with pytest.raises(SealError, match="no member"):
        open_generation_key(roster, "SP", load_keys(state, "SP"))

    config.write_bytes(signed)  # an old config, with its own good signature
    key = HouseKey.load(houses.house_key_path(state), "correct horse")
    config.with_name("config.json.sig").write_bytes(signature_line(key, signed))
    with pytest.raises(Refused, match="is old"):
        fetch_signed(str(config))

    command("seal", "open", "--yes")
    assert fetch_signed(str(config)).roster is None


def test_a_wrong_passphrase_changes_nothing(
    config: Path, command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command("seal")
    before = config.read_bytes()
    (tmp_path / "pass").write_text("wrong horse\n")
    done = command("rotate", "--passphrase-file", str(tmp_path / "pass"), status=1)
    assert "is wrong" in done.output
    assert config.read_bytes() == before
    monkeypatch.delenv("JPH_HOUSE_PASSPHRASE")
    assert "JPH_HOUSE_PASSPHRASE" in command("rotate", status=1).output


class Machine:
    """The enrolling side: a sealed config in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.house = HouseKey(bytes(32))
        self.path = folder / "config.json"
        self.roster: Roster = houses.first_roster(self.house)

    def accept(self, public: Mapping[str, PublicKeys]) -> Signed:
        new = {code: (keys, Rights()) for code, keys in public.items()}
        self.roster = houses.with_members(self.roster, self.house, new)
        document = with_keys(json.dumps(CONFIG).encode(), {"Roster": self.roster})
        return Signed(document, signature_line(self.house, document), self.roster)

    async def open(self) -> tuple[enrolling.Enroller, Line]:
        offer = Offer(self.house.public.sign, "pi-cellar", ["P1"])
        enroller = enrolling.Enroller(offer, self.accept)
        return enroller, await enroller.open("127.0.0.1")


@pytest.fixture
def joining(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JPH_STATE", str(tmp_path / "var"))
    path = tmp_path / "joined.json"
    path.write_text("{}")
    return path


def text_of(path: Path | str) -> str:
    return Path(path).read_text()


async def test_a_machine_joins_by_its_line(joining: Path, tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    state = tmp_path / "var"
    enroller, line = await machine.open()
    waiting = asyncio.create_task(enroller.wait())
    joined = await enrolling.join(line, joining, state)
    assert await waiting == "127.0.0.1"
    assert joined.codes == ["P1"]
    assert text_of(joined.kept) == "{}"
    signed = await asyncio.to_thread(fetch_signed, str(joining))
    assert signed.roster == machine.roster
    assert load_trust(state) == Trust(machine.house.public.sign, 1, 1)
    assert open_generation_key(machine.roster, "P1", load_keys(state, "P1"))
    with pytest.raises(SealError, match="still run there"):  # the line works once
        await enrolling.join(line, joining, state)


async def test_a_stranger_without_the_secret_gets_nothing(joining: Path, tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    enroller, line = await machine.open()
    waiting = asyncio.create_task(enroller.wait())
    with pytest.raises(SealError, match="mistyped"):
        await enrolling.join(line._replace(secret=bytes(16)), joining, tmp_path / "var")
    assert text_of(joining) == "{}"
    assert machine.roster.members == {}
    assert (await enrolling.join(line, joining, tmp_path / "var")).codes == ["P1"]
    await waiting


async def test_a_line_of_another_house_is_not_followed(joining: Path, tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    enroller, line = await machine.open()
    with pytest.raises(SealError, match="another house"):
        await enrolling.join(line._replace(fingerprint="A" * 26), joining, tmp_path / "var")
    await enroller.close()
    assert text_of(joining) == "{}"


async def test_a_line_ends_after_its_time(tmp_path: Path) -> None:
    enroller, _ = await Machine(tmp_path).open()
    with pytest.raises(SealError, match="the line is void"):
        await enroller.wait(0.01)


def test_a_member_of_another_house_does_not_join_by_mistake(
    command: Command, tmp_path: Path
) -> None:
    save_trust(tmp_path / "var", Trust(bytes(32), 1, 1))
    line = Line("127.0.0.1", 9, "A" * 26, bytes(16))
    assert "--force" in command("join", str(line), status=1).output


async def test_a_member_takes_a_newer_config_over_from_another_and_a_revoked_one_does_not(
    config: Path, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(command, "seal")
    here, there = tmp_path / "var", tmp_path / "there"
    await asyncio.to_thread(shutil.copytree, here, there)
    copy = there / "config.json"
    for name in ("config.json", "config.json.sig"):
        await asyncio.to_thread(shutil.copy, config.parent / name, there / name)
    old = await asyncio.to_thread(kinds.load, str(copy), [])
    await asyncio.to_thread(command, "revoke", "SP")
    server = asyncio.create_task(handover.serve(str(config), old))
    port = old.multicast.control.port
    await until_listening(port)
    content = await asyncio.to_thread(handover._wrapped, str(config), "CC")
    assert await asyncio.to_thread(handover._wrapped, str(config), "SP") == b""
    assert len(content) > len(text_of(config))

    monkeypatch.setenv("JPH_STATE", str(there))
    with pytest.raises(SealError, match="no member there"):
        await handover.ask("127.0.0.1", port, "SP")
    newer = await handover.ask("127.0.0.1", port, "CC")
    await asyncio.to_thread(handover._write, str(copy), newer)
    assert text_of(copy) == text_of(config)
    assert text_of(f"{copy}.sig") == text_of(f"{config}.sig")
    assert "already" in await handover.take_over(str(copy), "CC", old, "127.0.0.1")
    server.cancel()


async def until_listening(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                return
