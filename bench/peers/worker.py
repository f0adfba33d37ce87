"""One side of one system, in a process of its own, controlled by its standard input."""

import gc
import importlib
import json
import os
import sys
import time
from typing import Any

from bench.peers import Peer


def main(module: str, name: str, near: bool, link: dict[str, Any]) -> None:
    """Execute each line of the input, and answer it with a line."""
    kind: type[Peer] = getattr(importlib.import_module(f"bench.peers.{module}"), name)
    peer = kind(link, near)
    gc.collect()
    gc.freeze()
    print(json.dumps((peer.title, peer.fans)), flush=True)
    for line in sys.stdin:
        cores, verb, arguments = json.loads(line)
        os.sched_setaffinity(0, cores)
        print(json.dumps("begun"), flush=True)
        used_s = time.process_time()
        outcome = getattr(peer, verb)(*arguments)
        print(json.dumps((outcome, time.process_time() - used_s)), flush=True)
    peer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] == "near", json.loads(sys.argv[4]))
