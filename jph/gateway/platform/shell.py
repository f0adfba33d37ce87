"""Pages: the frame, the language, the theme, and who is looking."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Request, Response
from litestar.datastructures import Cookie
from markupsafe import Markup

from jph.config.model import Network
from jph.gateway.accounts.authentication import Identity, masked
from jph.gateway.accounts.roles import Role, User
from jph.gateway.platform import language
from jph.gateway.platform.assets import Assets
from jph.gateway.platform.language import LANGUAGES, Language

WebRequest = Request[User, Identity, Any]
"""A request as handlers get it: `request.user` is always somebody, if only the public reader."""

THEMES: Final = ("auto", "light", "dark")
_TEMPLATES: Final = Path(__file__).parent.parent / "templates"
_YEAR_S: Final = 31_536_000
_UNSAFE_IN_SCRIPT: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def _always(_: Network) -> bool:
    return True


class Link(NamedTuple):
    """A page in the navigation: its path, its label in English, and where it stands.

    A page module has a list `LINKS` of them. `shown` says by the config whether there is
    something to see; `role` is what it takes to be there.
    """

    path: str
    label: str
    order: int
    role: Role = Role.VIEWER
    shown: Callable[[Network], bool] = _always


class Shell:
    """Makes pages out of templates."""

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
        """Return a page. `?lang=fr` and `?theme=dark` in its address are kept in cookies."""
        tongue = self._language(request)
        theme = self._theme(request)
        page = template.removesuffix(".html")
        frame: dict[str, object] = {
            "_": tongue.say,
            "lang": tongue.code,
            "languages": LANGUAGES.values(),
            "theme": theme,
            "themes": THEMES,
            "page": page,
            "path": request.url.path,
            "user": request.user,
            "may_command": request.user.role >= Role.OPERATOR,
            "is_admin": request.user.role >= Role.ADMIN,
            "nav": self._nav(request.user),
            "csrf": masked(request.auth.csrf) if request.auth.csrf else "",
            "words": _for_script(tongue.words_of(page)),
            "static": self.assets.url,
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
        """Return what the browser is to keep: choices, and for who may log in a mark of theirs."""
        kept = []
        for name, known in (("lang", tuple(LANGUAGES)), ("theme", THEMES)):
            value = request.query_params.get(name)
            if value in known:
                kept.append(Cookie(name, value=value, max_age=_YEAR_S, samesite="strict"))
        if request.auth.fresh_visitor:
            cookies = request.auth.cookies
            kept.append(cookies.cookie(cookies.visitor, request.auth.fresh_visitor))
        return kept


def set_cookie(request: WebRequest, answer: Response[Any], secret: str, age_s: int) -> None:
    """Give a browser its session, or take it away with an `age_s` of 0."""
    cookies = request.auth.cookies
    answer.cookies.append(cookies.cookie(cookies.session, secret, age_s))


def address_of(request: WebRequest) -> str:
    """Return the address that a request comes from."""
    return request.client.host if request.client else "-"


def _for_script(content: object) -> Markup:
    """Return JSON that may stand inside a `<script type="application/json">`."""
    return Markup(json.dumps(content, ensure_ascii=False).translate(_UNSAFE_IN_SCRIPT))
