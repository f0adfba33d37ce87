"""Runs all measurements, one after the other, in under ten minutes: `make bench`.

Prints their tables, writes their figures to `bench/results.json` with the machine, the versions and
the date, and draws the picture of the README. A measurement that fails is reported and left out.
"""

import argparse
import contextlib
import importlib.metadata
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.picture import draw

HERE: Final = Path(__file__).resolve().parent
RESULTS: Final = HERE / "results.json"
PICTURE: Final = HERE.parent / "docs" / "pictures" / "bus.svg"
BENCHES: Final = {
    "bus": (),
    "live": (),
    "footprint": ("--seconds", "5"),
    "reaction": (),
    "repair": ("--seconds", "5"),
    "store": (),
    "scale": (),
    "history": (),
    "graph": (),
    "heating": ("--days", "1"),
    "wishes": ("--days", "2", "--houses", "1"),
}
"""All measurements, with arguments that keep them short; alone each one takes longer."""
LIBRARIES: Final = (
    *("msgspec", "redis", "psycopg2-binary", "litestar", "uvicorn"),
    *("lcm", "eclipse-zenoh", "cyclonedds", "nats-py", "paho-mqtt"),
)


def main() -> None:
    """Run the measurements and write their figures."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="All measurements.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(BENCHES)}")
    names = parser.parse_args().names or list(BENCHES)
    if unknown := set(names) - BENCHES.keys():
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        if (figures := run(name)) is not None:
            found[name] = figures
            RESULTS.write_text(json.dumps(merged(found), indent=1) + "\n")
    print(f"\nfigures: {RESULTS}")
    if "bus" in found:
        PICTURE.write_text(draw(found["bus"]["rows"]))
        print(f"picture: {PICTURE}")
    if missing := set(names) - found.keys():
        sys.exit(f"failed: {', '.join(sorted(missing))}")


def run(name: str) -> dict[str, Any] | None:
    """Run one measurement and return its figures, with the seconds it took."""
    print(f"\n== bench/{name}", flush=True)
    with tempfile.TemporaryDirectory(prefix="jph-bench-") as directory:
        figures = Path(directory) / "figures.json"
        command = [sys.executable, "-m", f"bench.{name}", *BENCHES[name], "--json", str(figures)]
        began_s = time.monotonic()
        done = subprocess.run(command, cwd=HERE.parent, check=False)
        passed_s = time.monotonic() - began_s
        print(f"({passed_s:.0f} s)", flush=True)
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            rows = json.loads(figures.read_text())["rows"]
            return {"date": now(), "seconds": round(passed_s), "rows": rounded(rows)}
        print(f"no figures; exit status {done.returncode}")
        return None


def merged(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the content of the file: these figures, and older ones of measurements not run now."""
    before: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        before = json.loads(RESULTS.read_text())["benches"]
    return {"machine": machine(), "versions": versions(), "benches": {**before, **found}}


def rounded(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Round each figure to four significant digits; a figure that is not finite becomes None."""

    def short(value: object) -> object:
        if not isinstance(value, float):
            return value
        return float(f"{value:.4g}") if math.isfinite(value) else None

    return [{key: short(value) for key, value in row.items()} for row in rows]


def now() -> str:
    """Return the time to the minute."""
    return datetime.now(UTC).isoformat(timespec="minutes")


def machine() -> dict[str, Any]:
    """Return processor, cores, memory and system."""
    model = ""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": model or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 2**30, 1),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the installed libraries."""
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[library] = importlib.metadata.version(library)
    return found


if __name__ == "__main__":
    main()
