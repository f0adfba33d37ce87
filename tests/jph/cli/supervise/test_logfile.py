from pathlib import Path

import pytest

from jph.cli.supervise.logfile import LogFile
from jph.errors import JphError


def test_it_turns_over_and_keeps_three_files(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "deep" / "TI.log", limit=100, files=3)
    for number in range(40):
        log.write(f"line {number:04d}\n".encode())  # ten a file
    log.close()
    files = {path.name: path.read_text() for path in (tmp_path / "deep").iterdir()}
    assert set(files) == {"TI.log", "TI.log.1", "TI.log.2"}
    assert files["TI.log"].splitlines()[-1] == "line 0039"
    assert files["TI.log.1"].splitlines()[-1] == "line 0029"
    assert all(len(text) <= 100 for text in files.values())


def test_it_goes_on_where_the_last_run_ended(tmp_path: Path) -> None:
    for word in (b"one\n", b"two\n"):
        log = LogFile(tmp_path / "TI.log")
        log.write(word)
        log.close()
    assert (tmp_path / "TI.log").read_text() == "one\ntwo\n"


def test_the_tail_is_of_this_life_only(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "TI.log")
    log.write(b"".join(b"%d\n" % n for n in range(5000)))
    log.write(b"the end, in pi")
    log.write(b"eces\n\n")
    assert log.tail()[-2:] == ["4999", "the end, in pieces"]
    assert log.tail() == []
    log.close()


def test_a_log_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "TI.log").mkdir()
    (tmp_path / "log").touch()
    for path in (tmp_path / "TI.log", tmp_path / "log" / "TI.log"):
        with pytest.raises(JphError, match=r"TI\.log cannot be written"):
            LogFile(path)


def test_it_turns_over_even_where_names_are_taken(tmp_path: Path) -> None:
    (tmp_path / "TI.log.1" / "taken").mkdir(parents=True)
    (tmp_path / "TI.log.2" / "taken").mkdir(parents=True)
    log = LogFile(tmp_path / "TI.log", limit=100)
    for number in range(30):
        log.write(f"line {number:04d}\n".encode())
    log.close()
    assert (tmp_path / "TI.log").read_text().splitlines()[-1] == "line 0029"


def test_it_comes_back_when_its_place_does(tmp_path: Path) -> None:
    place = tmp_path / "log"
    log = LogFile(place / "TI.log", limit=10)
    log.write(b"0123456789")
    place.rename(tmp_path / "away")
    log.write(b"lost\n")
    (tmp_path / "away").rename(place)
    log.write(b"kept\n")
    log.close()
    assert (place / "TI.log").read_text() == "kept\n"
    assert log.tail() == ["0123456789lost", "kept"]
