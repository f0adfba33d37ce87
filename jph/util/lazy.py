"""Modules that load when they are first used: for what libraries import and a node seldom needs.

asyncio imports TLS whether anybody speaks it or not, a megabyte of memory in every node and the
time to load OpenSSL at every start; logging.handlers imports pickle for records sent by TCP.
Call `postpone` before asyncio is imported.
"""

import importlib
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any, Final

SELDOM_USED: Final = ("ssl", "asyncio.sslproto", "pickle")


def postpone(names: Iterable[str]) -> None:
    """Have these modules loaded at the first use of what is in them, not when imported.

    Unlike importlib's LazyLoader this lets a module be imported a second time without loading it.
    """
    for name in names:
        if name not in sys.modules:
            sys.modules[name] = _Later(name)


class _Later(ModuleType):
    """Stands for a module, and becomes as good as it when something is looked up in it."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("__"):  # the import system looks; nobody uses anything
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        real = importlib.import_module(self.__name__)
        self.__dict__.update(vars(real))
        return getattr(real, name)
