"""Postpones the import of modules that libraries import and that a node seldom uses.

asyncio imports TLS even in programs that never use it: a megabyte of memory in every node and the
time to load OpenSSL at every start. logging.handlers imports pickle for records sent by TCP.
Call `postpone` before asyncio is imported.
"""

import importlib
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any, Final

SELDOM_USED: Final = ("ssl", "asyncio.sslproto", "pickle")


def postpone(names: Iterable[str]) -> None:
    """Load these modules when one of their attributes is first used, not when they are imported.

    Unlike with importlib's LazyLoader, a second import does not load the module.
    """
    for name in names:
        if name not in sys.modules:
            sys.modules[name] = _PostponedModule(name)


class _PostponedModule(ModuleType):
    """Replaces a module until an attribute is looked up; then it loads the module."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("__"):  # the import system looks, without using the module
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        real = importlib.import_module(self.__name__)
        self.__dict__.update(vars(real))
        return getattr(real, name)
