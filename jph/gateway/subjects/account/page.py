"""One's own account, and everybody's."""

from typing import Any, Final

from litestar import Response, get

from jph.gateway.accounts.passwords import SHORTEST
from jph.gateway.accounts.roles import GIVEN, Role, needs, needs_login
from jph.gateway.platform.services import Parts
from jph.gateway.platform.shell import WebRequest

_ROLES: Final = [role.word for role in GIVEN]


def handlers(parts: Parts) -> list[Any]:
    """Return both pages."""

    @get("/account", include_in_schema=False, sync_to_thread=False, guards=[needs_login])
    def account(request: WebRequest) -> Response[str]:
        mine = [role.word for role in GIVEN if role <= request.user.role]
        return parts.shell.page(request, "account.html", roles=mine, shortest=SHORTEST)

    @get("/users", include_in_schema=False, sync_to_thread=False, guards=[needs(Role.ADMIN)])
    def users(request: WebRequest) -> Response[str]:
        return parts.shell.page(request, "users.html", roles=_ROLES, shortest=SHORTEST)

    return [account, users]
