"""A reader of history: prints the last hours of codifiers from the API of a gateway.

    python examples/history.py http://127.0.0.1:8080 I1,RA 24

`JPH_TOKEN` holds a token (`control.py user token`) where the gateway is not public.
"""

import json
import os
import sys
import time
from datetime import UTC, datetime
from urllib.request import Request, urlopen


def main(page: str, codes: str, hours: str = "24") -> None:
    """Print time, value and unit of each point, and the gaps."""
    now_ms = int(1000 * time.time())
    start_ms = now_ms - int(3_600_000 * float(hours))
    address = f"{page}/api/history?codes={codes}&from={start_ms}&to={now_ms}&points=100"
    token = os.environ.get("JPH_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urlopen(Request(address, headers=headers), timeout=30) as response:
        answer = json.load(response)
    for series in answer["series"]:
        for at_ms, value in zip(series["t"], series["v"], strict=True):
            print(moment(at_ms), series["code"], value, series["unit"])
        for start, end, why, count in series.get("gaps", []):
            print(f"{series['code']}: {count} readings lost ({why}), {moment(start)}-{moment(end)}")


def moment(at_ms: int) -> str:
    """Return a time as text, UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")


if __name__ == "__main__":
    main(*sys.argv[1:])
