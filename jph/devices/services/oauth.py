"""Access tokens of OAuth 2 from a refresh token. Pure: the caller sends the request."""

import json
from typing import Final
from urllib.parse import urlencode

from jph.devices.services.http_request import Request, Response
from jph.errors import DeviceError
from jph.util.secrets import remember

_EARLY_S: Final = 60.0
"""A token is renewed so long before it expires."""
_SHORTEST_S: Final = 30.0


class AccessToken:
    """The newest access token. `now_s` is monotonic."""

    def __init__(self) -> None:
        self._token = ""
        self._until_s = 0.0

    def valid(self, now_s: float) -> str:
        """Return the token, empty when a new one is needed."""
        return self._token if now_s < self._until_s else ""

    def forget(self) -> None:
        """Drop the token: the server refused it."""
        self._token, self._until_s = "", 0.0

    def take(self, response: Response, now_s: float) -> None:
        """Take the server's answer.

        Raises:
            DeviceError: it has no token.
        """
        try:
            answer = json.loads(response.body)
            token, lasts_s = answer["access_token"], float(answer.get("expires_in", 300))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            answer, token, lasts_s = None, None, 0.0
        if response.status != 200 or not isinstance(token, str) or not token:
            raise DeviceError(f"the token server answers with status {response.status}, no token")
        remember(token)
        self._token = token
        self._until_s = now_s + max(lasts_s - _EARLY_S, _SHORTEST_S)


def refresh_request(url: str, client_id: str, secret: str, refresh_token: str) -> Request:
    """Return the request for a new access token."""
    form = {
        "grant_type": "refresh_token",
        "client_id": client_id,
        "client_secret": secret,
        "refresh_token": refresh_token,
    }
    headers = (("Content-Type", "application/x-www-form-urlencoded"),)
    return Request(url, "POST", headers, urlencode(form).encode())
