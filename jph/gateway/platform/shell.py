"""Renders pages: frame, language, theme, current user."""

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Request, Response
from litestar.datastructures import Cookie
from markupsafe import Markup

from jph.config.model import Network
from jph.config.names import translated
from jph.gateway.accounts.roles import Role, User
from jph.gateway.platform import language
from jph.gateway.platform.assets import Assets
from jph.gateway.platform.authentication import Identity
from jph.gateway.platform.forwarded import place_in
from jph.gateway.platform.language import LANGUAGES, Language
from jph.gateway.platform.protection import Scope

WebRequest = Request[User, Identity, Any]
"""A request as handlers get it: `request.user` is always set, to `PUBLIC` without a login."""

THEMES: Final = ("auto", "light", "dark")
_TEMPLATES: Final = Path(__file__).parent.parent / "templates"
_YEAR_S: Final = 31_536_000
_UNSAFE_IN_SCRIPT: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def _always(_: Network) -> bool:
    return True


class Link(NamedTuple):
    """A page in the navigation: path, English label and position.

    A subject has a list `LINKS` of them. `shown` decides by the config whether the link is shown,
    `role` is the least role that sees it.
    """

    path: str
    label: str
    order: int
    role: Role = Role.VIEWER
    shown: Callable[[Network], bool] = _always


class Shell:
    """Renders pages from templates."""

    def __init__(
        self, network: Callable[[], Network], assets: Assets, links: Iterable[Link]
    ) -> None:
        self._network = network
        self.assets = assets
        self._links = sorted(links, key=lambda link: link.order)
        self._templates = Environment(
            loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined
        )

    def page(
        self, request: WebRequest, template: str, *, status_code: int = 200, **context: object
    ) -> Response[str]:
        """Return a page. `?lang=fr` and `?theme=dark` in its address are stored in cookies."""
        spoken = self._language(request)
        theme = self._theme(request)
        page = template.removesuffix(".html")
        base = place_in(cast("Scope", request.scope)).prefix
        frame: dict[str, object] = {
            "_": spoken.say,
            "lang": spoken.code,
            "languages": LANGUAGES.values(),
            "theme": theme,
            "themes": THEMES,
            "page": page,
            "path": request.url.path,
            "user": request.user,
            "may_command": request.user.role >= Role.OPERATOR,
            "is_admin": request.user.role >= Role.ADMIN,
            "nav": self._nav(request.user),
            "words": _for_script(spoken.words_of(page)),
            "base": base,
            "called": lambda name: translated(name, spoken.code, self._network().translations),
            "now": time.time_ns() // 1_000_000,
            "static": lambda name: base + self.assets.url(name),
        }
        text = self._templates.get_template(template).render({**frame, **context})
        return Response(
            text,
            status_code=status_code,
            media_type=MediaType.HTML,
            cookies=self._cookies(request),
        )

    def _nav(self, user: User) -> list[Link]:
        network = self._network()
        return [link for link in self._links if user.role >= link.role and link.shown(network)]

    def _language(self, request: WebRequest) -> Language:
        asked = request.query_params.get("lang")
        return LANGUAGES[asked] if asked in LANGUAGES else language.of(request)

    def _theme(self, request: WebRequest) -> str:
        asked = (request.query_params.get("theme"), request.cookies.get("theme"))
        return next((theme for theme in asked if theme in THEMES), THEMES[0])

    def _cookies(self, request: WebRequest) -> list[Cookie]:
        """Return cookies for the choices in the address."""
        kept = []
        for name, known in (("lang", tuple(LANGUAGES)), ("theme", THEMES)):
            value = request.query_params.get(name)
            if value in known:
                kept.append(Cookie(name, value=value, max_age=_YEAR_S, samesite="lax"))
        return kept


def set_cookie(request: WebRequest, answer: Response[Any], secret: str, age_s: int) -> None:
    """Set the session cookie, or delete it with an `age_s` of 0."""
    answer.cookies.append(request.auth.cookie.with_secret(secret, age_s))


def address_of(request: WebRequest) -> str:
    """Return the address of the client."""
    return request.client.host if request.client else "-"


def _for_script(content: object) -> Markup:
    """Return JSON that may stand inside a `<script type="application/json">`."""
    return Markup(json.dumps(content, ensure_ascii=False).translate(_UNSAFE_IN_SCRIPT))
