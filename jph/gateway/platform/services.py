"""Services of the gateway, handed to each subject as one object."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from jph.client.client import Client
from jph.config.model import Network
from jph.config.names import translated
from jph.gateway.accounts.accounts import Accounts
from jph.gateway.accounts.audit import Auditor
from jph.gateway.accounts.confirmations import Confirmations
from jph.gateway.live.gap_reader import HoleReader
from jph.gateway.live.history_reader import HistoryReader
from jph.gateway.live.senses import Senses
from jph.gateway.live.stream import Hub
from jph.gateway.platform import language
from jph.gateway.platform.shell import Shell, WebRequest, address_of

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a page or an API may need.

    Attributes:
        hub: the board and the streams of its changes.
        client: sends commands to nodes and collects their answers.
        holes: reads what the history lacks.
        history: reads PostgreSQL without blocking.
        senses: log lines, traffic on the buses, cameras.
        log: the gateway's.
        network: returns the current configuration; a reload changes it.
        shell: makes pages.
        accounts: users, sessions, tokens, saved graphs.
        auditor: keeps the audit of commands.
        confirmations: sessions in which the password was entered lately.
        public: whether any client may read without a login.
    """

    hub: Hub
    client: Client
    holes: HoleReader
    history: HistoryReader
    senses: Senses
    log: Log
    network: Callable[[], Network]
    shell: Shell
    accounts: Accounts
    auditor: Auditor
    confirmations: Confirmations
    public: Callable[[], bool]

    def called(self, request: WebRequest) -> Callable[[str], str]:
        """Return what translates names of the config into the language of a request."""
        code, translations = language.of(request).code, self.network().translations
        return lambda name: translated(name, code, translations)

    def audit(self, request: WebRequest, what: str, answer: str) -> None:
        """Note a command and its answer. Does not wait."""
        token = request.auth.token
        who = request.user.name or "-"
        if token is not None:
            who = f"{who} (token {token.name})"
        of_program = token is not None or not request.user.known
        self.auditor.note(who, address_of(request), what, answer, of_program=of_program)
