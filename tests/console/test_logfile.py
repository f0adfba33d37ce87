from pathlib import Path

from console.logfile import LogFile


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
