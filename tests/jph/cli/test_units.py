"""systemd units of a machine: which, with what, and whether systemd finds them good."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from click.testing import CliRunner

from jph.cli.main import cli
from jph.cli.supervise.systemd import GROUP, NODE, SYSUSERS, Installation, commands, unit_files
from jph.errors import ConfigError
from tests.jph.cli.programs import CONSOLE, setpoint

HERE = Installation(("/usr/bin/jph",), "/etc/jph/config.json", "jph", ("TI", "SH"))


def test_a_unit_names_program_config_user_and_state() -> None:
    text = unit_files(HERE)[NODE].splitlines()
    assert "ExecStart=/usr/bin/jph run %i" in text
    assert "User=jph" in text
    assert "Type=notify" in text
    assert "StateDirectory=jph" in text
    assert "network-online" not in "".join(line for line in text if not line.startswith("#"))
    assert 'Environment="JPH_CONFIG=/etc/jph/config.json" "JPH_STATE=/var/lib/jph"' in "\n".join(
        text
    )
    assert not [
        line
        for files in unit_files(HERE).values()
        for line in files.split()
        if "@" in line and line.strip("@").isupper()
    ]


def test_the_group_unit_runs_all_in_one_process() -> None:
    text = unit_files(HERE)[GROUP]
    assert '"JPH_NODES=TI SH"' in text
    assert "run $JPH_NODES" in text
    group = Installation(HERE.program, HERE.config, HERE.user, HERE.nodes, group=True)
    assert commands(group)[-1] == "systemctl enable --now jph.target jph-group.service"
    assert commands(HERE)[-1].endswith("jph.target jph@TI.service jph@SH.service")


def test_a_program_in_a_home_is_readable() -> None:
    home = Installation(("/home/pi/.local/bin/jph",), HERE.config, "pi", HERE.nodes)
    assert "ProtectHome=read-only" in unit_files(home)[NODE]
    assert "ProtectHome=yes" in unit_files(HERE)[NODE]


@pytest.mark.parametrize("text", ["a\nExecStartPre=/bin/x", 'a"b', "50%", ""])
def test_what_a_unit_cannot_carry_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        unit_files(Installation(("/usr/bin/jph",), text, "jph", ("TI",)))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
@pytest.mark.parametrize("unit", [NODE, GROUP])
def test_systemd_finds_the_sandbox_tight(unit: PurePosixPath, tmp_path: Path) -> None:
    path = tmp_path / unit.name.replace("@", "@TI")
    path.write_text(unit_files(HERE)[unit])
    words = ["systemd-analyze", "security", "--offline=yes", "--threshold=25", str(path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_the_command_writes_the_units_of_this_machine(
    config_file: Callable[..., Path], tmp_path: Path
) -> None:
    config = config_file(setpoint("S1"), setpoint("S2"), CONSOLE)
    words = ["--config", str(config), "units", "--write", str(tmp_path / "root")]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    assert "jph@S1.service jph@S2.service" in done.output
    text = (tmp_path / "root" / NODE).read_text()
    assert sys.executable in text
    assert str(config) in text
    assert "u jph " in (tmp_path / "root" / SYSUSERS).read_text()
