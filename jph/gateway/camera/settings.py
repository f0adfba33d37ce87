"""Settings of a camera in the config. Pure."""

from typing import Annotated, Final, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec

from jph.config.model import Network, Sensor
from jph.config.settings import Settings, described
from jph.config.validation import read_struct
from jph.errors import JphError

KIND: Final = "Camera"
_SCHEMES: Final = {"http": 80, "https": 443}


class Target(NamedTuple):
    """Where a camera is: `path` with its query, `user` and `password` apart from it."""

    secure: bool
    host: str
    port: int
    path: str
    user: str
    password: str


class CameraSettings(Settings, frozen=True, kw_only=True):
    """Where its pictures are (`URL`), and how they come.

    `mode` is `mjpeg` (a stream) or `snapshot` (one picture an answer, asked for again each
    `interval` s). `password` is the path of a file that holds it; both may be in the URL instead.
    `public`: whether those who may look without an account see it too.
    """

    url: Annotated[str, described("Address of the pictures")] = msgspec.field(name="URL")
    mode: Annotated[
        Literal["mjpeg", "snapshot"], described("mjpeg for a stream, snapshot for single pictures")
    ] = "mjpeg"
    interval: Annotated[float, described("Time between two snapshots", "s")] = 1.0
    user: Annotated[str, described("User name at the camera")] = ""
    password: Annotated[str, described("Path of a file that holds the password")] = ""
    public: Annotated[bool, described("Show it also to readers without a login")] = False

    def __post_init__(self) -> None:
        self.target("")
        if not 0.1 <= self.interval <= 3600:
            raise ValueError(f"Interval: expected 0.1 to 3600 s, found {self.interval}")

    def target(self, password: str) -> Target:
        """Return where to ask, with what the password's file holds.

        Raises:
            ValueError: it is no address of a camera; does not repeat it, as it may have a password.
        """
        if not self.url.isprintable() or " " in self.url or not self.url.isascii():
            raise ValueError("URL: expected printable ASCII without blanks")
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError:
            raise ValueError("URL: expected a port from 0 to 65535 and a proper host") from None
        if parts.scheme not in _SCHEMES or not parts.hostname:
            raise ValueError("URL: expected http://… or https://… with a host")
        return Target(
            secure=parts.scheme == "https",
            host=parts.hostname,
            port=port or _SCHEMES[parts.scheme],
            path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            user=self.user or unquote(parts.username or ""),
            password=password or unquote(parts.password or ""),
        )


def cameras_of(network: Network) -> list[Sensor]:
    """Return the cameras of a configuration."""
    return [sensor for sensor in network.sensors if sensor.type == KIND]


def settings_of(sensor: Sensor) -> CameraSettings | None:
    """Return a camera's settings, None if they have mistakes (`config check` tells them)."""
    try:
        return read_struct(CameraSettings, sensor.sensor, "", [])
    except JphError:
        return None
