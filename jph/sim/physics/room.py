"""One room as two capacities and two resistances, stepped exactly.

      heat ─┐
            ▼
    air ──┤ r_in ├── mass ──┤ r_out ├── outside
     ┴ air_j_per_k     ┴ mass_j_per_k

The model is the usual grey-box one (air and envelope nodes, "TiTe").  For constant heat and
outdoor temperature it is linear, so a step of any length is solved exactly by the matrix
exponential.
"""

import math
from typing import Final

from jph.sim.physics.spec import RoomSpec

AIR_J_PER_K_M2: Final = 30e3
"""Air, furniture and the first centimetre of the walls, per m² of floor."""

MASS_J_PER_K_M2: Final = 300e3
"""Old masonry, per m² of floor."""

INSIDE_SHARE: Final = 0.15
"""Part of the resistance to the outside that lies between the air and the walls."""


class SimulatedRoom:
    """Temperatures of a room, in °C; `step_s` is the length of its steps.

    `speed` makes the heat of the room move faster, towards the same final temperature.
    """

    __slots__ = (
        "_air_air",
        "_air_mass",
        "_mass_air",
        "_mass_mass",
        "_r_in",
        "_r_out",
        "air_c",
        "air_j_per_k",
        "mass_c",
        "mass_j_per_k",
        "spec",
    )

    def __init__(
        self, spec: RoomSpec, air_c: float, outdoor_c: float, step_s: float, speed: float = 1.0
    ) -> None:
        resistance = 1 / spec.loss_w_per_k
        self.spec = spec
        self._r_in = INSIDE_SHARE * resistance
        self._r_out = resistance - self._r_in
        self.air_j_per_k = spec.area_m2 * AIR_J_PER_K_M2 / speed
        self.mass_j_per_k = spec.area_m2 * MASS_J_PER_K_M2 / speed
        self.air_c = air_c
        self.mass_c = outdoor_c + (air_c - outdoor_c) * (1 - INSIDE_SHARE)
        self._set_step(step_s)

    def step(self, watts: float, outdoor_c: float) -> None:
        """Let one step pass with this mean heat (W) and this outdoor temperature (°C)."""
        mass_end = outdoor_c + watts * self._r_out
        air_end = mass_end + watts * self._r_in
        air, mass = self.air_c - air_end, self.mass_c - mass_end
        self.air_c = air_end + self._air_air * air + self._air_mass * mass
        self.mass_c = mass_end + self._mass_air * air + self._mass_mass * mass

    def loss_w(self, outdoor_c: float) -> float:
        """Return the heat flow from the walls to the outside, in W."""
        return (self.mass_c - outdoor_c) / self._r_out

    def stored_j(self) -> float:
        """Return the heat in air and walls, in J above 0 °C."""
        return self.air_j_per_k * self.air_c + self.mass_j_per_k * self.mass_c

    def _set_step(self, step_s: float) -> None:
        """Prepare exp(M·step) by Sylvester's formula; an RC ladder has two real eigenvalues."""
        a = -1 / (self.air_j_per_k * self._r_in)
        b = -a
        c = 1 / (self.mass_j_per_k * self._r_in)
        d = -c - 1 / (self.mass_j_per_k * self._r_out)
        middle, half = (a + d) / 2, math.sqrt((a - d) ** 2 / 4 + b * c)
        slow, fast = middle + half, middle - half
        e_slow, e_fast = math.exp(slow * step_s), math.exp(fast * step_s)
        linear = (e_slow - e_fast) / (slow - fast)
        constant = e_slow - slow * linear
        self._air_air = constant + a * linear
        self._air_mass = b * linear
        self._mass_air = c * linear
        self._mass_mass = constant + d * linear
