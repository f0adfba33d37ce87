"""Sentences for the log of a card: a phase loses its shedder, falls back and recovers. Pure."""

from collections.abc import Mapping
from typing import Final

from jph.heating.card.leases import Fallback, Stage

_EFFECT: Final = {
    Stage.SHARE: "only the safe share of the phase may heat",
    Stage.FROST: "the heaters beyond the safe share go to frost protection",
    Stage.ORDERS: "all heaters follow their orders",
}


class FallbackLog:
    """Compares the stage of each phase's lease with the last one."""

    def __init__(self) -> None:
        self._stages: dict[int, Stage] = {}

    def changes(
        self, stages: Mapping[int, Stage], silent: Mapping[int, str], fallback: Fallback
    ) -> list[tuple[bool, str]]:
        """Return a sentence for each phase whose stage changed, and whether it is a warning.

        `silent` is what is missing of each phase: its `masks` or its `meter`.
        """
        sentences = []
        for phase, stage in stages.items():
            before, self._stages[phase] = self._stages.get(phase, Stage.LIVE), stage
            if stage is before:
                continue
            if stage is Stage.LIVE:
                text = "shed masks come again; heaters return one after another"
            elif silent.get(phase) == "meter":
                text = f"no meter current for {fallback.meter_hold_s:g} s; {_EFFECT[stage]}"
            else:
                text = f"no shed mask for {fallback.hold_s:g} s; {_EFFECT[stage]}"
            sentences.append((stage is not Stage.LIVE, f"phase {phase}: {text}"))
        return sentences
