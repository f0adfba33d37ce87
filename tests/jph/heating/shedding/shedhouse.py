"""A phase with heaters that obey late and a meter that rounds: the policy closed into a loop."""

from collections.abc import Iterable, Sequence

from jph.config.house.loads import Load, Wiring
from jph.heating.shedding import Decision, Readings, Reason, Rules, SheddingPolicy
from tests.jph.heating.shedding.loads import pilot_heater

WATTS = 1150.0  # 5 A
LIMIT = 30.0
FRAME_S = 1.7


def heater(
    code: str,
    bit: int,
    priority: int = 1,
    watts: float | None = WATTS,
    *,
    phase: int = 1,
    room: str = "",
) -> Load:
    return pilot_heater(
        codifier=code,
        card="P1",
        wire=bit % 8 + 1,
        phase=phase,
        bit=bit,
        room=room,
        name="",
        watts=watts,
        priority=priority,
    )


EQUALS = tuple(heater(f"1{bit + 1}", bit) for bit in range(4))


class ShedHouse:
    """One phase: heaters that `want` heat draw `amperes` when they are let, `base_a` the rest."""

    def __init__(
        self,
        heaters: Iterable[Load] = EQUALS,
        amperes: Iterable[float] = (),
        *,
        rules: Rules | None = None,
        obey_s: float | Sequence[float] = 1.5,
        shows_on: int = 1,
    ) -> None:
        self.heaters = tuple(heaters)
        self.amperes = list(amperes) or [5.0] * len(self.heaters)
        self.want = [True] * len(self.heaters)
        self.base_a = 0.0
        self.now_s = 1000.0
        self.mask = 0
        self.reasons: list[Reason] = []
        self.warnings: list[str] = []
        count = len(self.heaters)
        self._obey_s = [obey_s] * count if isinstance(obey_s, float) else list(obey_s)
        self._shows_on = shows_on
        self._orders: list[tuple[float, int]] = []
        """When a heater obeys, and its bit: it changes then."""
        self._obeyed = 0
        self.policy = SheddingPolicy(Wiring(self.heaters), [1, 2], rules)
        self.policy.step(self.now_s, Readings(limits={1: LIMIT, 2: LIMIT}))

    @property
    def heating_a(self) -> float:
        """What the heaters draw now."""
        due = [order for order in self._orders if order[0] <= self.now_s]
        for order in due:
            self._orders.remove(order)
            self._obeyed ^= 1 << order[1]
        on = (a for bit, a in enumerate(self.amperes) if not self._obeyed >> bit & 1)
        return sum(a for a, want in zip(on, self._wanted(), strict=True) if want)

    def _wanted(self) -> list[bool]:
        return [want for bit, want in enumerate(self.want) if not self._obeyed >> bit & 1]

    @property
    def current_a(self) -> float:
        """What phase 1 draws now."""
        return self.base_a + (self.heating_a if self._shows_on == 1 else 0.0)

    def frame(self) -> Decision:
        """Let a frame pass and be heard."""
        self.now_s += FRAME_S
        other_a = self.heating_a if self._shows_on == 2 else 0.0
        currents = {1: float(round(self.current_a)), 2: float(round(other_a))}
        return self.take(self.policy.step(self.now_s, Readings(currents=currents)))

    def silence(self, seconds: float) -> Decision:
        """Let time pass in which the meter says nothing."""
        decision = Decision({1: self.mask}, (), ())
        for _ in range(int(seconds)):
            self.now_s += 1.0
            decision = self.take(self.policy.step(self.now_s, Readings()))
        return decision

    def take(self, decision: Decision) -> Decision:
        changed, self.mask = decision.masks[1] ^ self.mask, decision.masks[1]
        for bit, obey_s in enumerate(self._obey_s):
            if changed >> bit & 1:
                self._orders.append((self.now_s + obey_s, bit))
        self.reasons += decision.reasons
        self.warnings += decision.warnings
        return decision

    def live(self, seconds: float) -> None:
        """Let frames pass."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.frame()

    def shed(self) -> list[str]:
        """Return the codifiers of the heaters that are shed."""
        return [h.codifier for h in self.heaters if self.mask >> h.bit & 1]
