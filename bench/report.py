"""The figures of a measurement, for other programs to read."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
"""One row of a table: its `name`, and figures by names that end in their unit."""


def keep(path: Path | None, name: str, rows: Sequence[Row]) -> None:
    """Write the rows of the measurement `name` to `path`, if there is one."""
    if path is not None:
        path.write_text(json.dumps({"name": name, "rows": rows}, indent=2) + "\n")
