"""Computes values from the readings of others, and orders by them: the rules of a house."""

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec

from jph.config.model import Network, Sensor
from jph.config.settings import described
from jph.config.validation import read_struct
from jph.errors import ConfigError, Problem
from jph.expressions.language import ExpressionError, compile_expression, type_of
from jph.expressions.outputs import ORDERED, Output, Outputs, Result
from jph.node.node import Node, Settings, now_ms
from jph.util.logs import Throttle
from jph.wire.codec import Flag, Quality, Reading

_TRIES: Final = 3
"""How often an order is sent that its target does not report."""
_SAME: Final = 1e-6


class OutputSettings(Settings, frozen=True):
    """One computed value."""

    codifier: Annotated[str, described("Codifier of the value: the node or an element of it")]
    value: Annotated[str, described("Expression of the value: max(A4, A5) if FI == 1 else 20")]
    else_: Annotated[
        tuple[str, ...], described("Expressions that are tried in turn while Value has no result")
    ] = msgspec.field(default=(), name="Else")
    first: Annotated[float | None, described("Own last value before the first result")] = None
    min: Annotated[float | None, described("Smallest value")] = None
    max: Annotated[float | None, described("Largest value")] = None
    set: Annotated[
        str, described("Codifier that is ordered to take the value; it needs Control")
    ] = ""

    def __post_init__(self) -> None:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"{self.codifier}: Min {self.min} is above Max {self.max}")


class ExpressionSettings(Settings, frozen=True):
    """Outputs are computed in their order; each sees those before it."""

    outputs: Annotated[tuple[OutputSettings, ...], described("Computed values, in their order")]
    fresh: Annotated[
        float | None,
        described("Age from which an input does not count; without it its TimeoutWarning", "s"),
    ] = None

    def __post_init__(self) -> None:
        codes = [output.codifier for output in self.outputs]
        if self.fresh is not None and self.fresh <= 0:
            raise ValueError(f"Fresh: expected seconds above 0, found {self.fresh}")
        if not codes:
            raise ValueError("expected one output or more")
        if double := {code for code in codes if codes.count(code) > 1}:
            raise ValueError(f"{', '.join(sorted(double))}: described twice")


class Expression(Node, type="Expression", settings=ExpressionSettings):
    """Publish computed values, on each change of an input and each `SensorInterval`.

    A missing or late input takes the next expression of `Else`; without a result nothing is sent
    and the log names the reason once a minute.
    """

    is_device = True
    settings: ExpressionSettings

    @classmethod
    def check_network(cls, network: Network) -> Sequence[Problem]:
        """Compile every expression, and find outputs and orders that lead nowhere."""
        found: list[Problem] = []
        for node in network.nodes():
            settings = read_struct(ExpressionSettings, node.sensor, "", [])
            if node.type in cls.types and settings is not None:
                found += _problems(node, settings, network)
        return found

    async def open(self) -> None:
        """Compile the expressions.

        Raises:
            ConfigError: one of them is wrong.
        """
        self._log_throttle = Throttle()
        self._ordered: dict[str, tuple[float, int]] = {}
        self._compile()

    def on_reload(self) -> None:
        """Take the new expressions; what was heard counts again when it is heard again."""
        try:
            self._compile()
        except ConfigError as error:
            self.log.error("keeping the old expressions: %s", error)

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Take inputs, then compute once for all of them."""
        changed = False
        here_s = now_ms() / 1000
        for reading in readings:
            if reading.source in self._targets and reading.number is not None:
                self._confirm(reading.source, reading.number)
            value = reading.value if reading.flag == "s" else reading.number
            at_s = min(reading.timestamp_ms / 1000, here_s)
            if value is not None:
                changed |= self.outputs.take(reading.source, value, at_s, Quality(reading.quality))
        if changed:
            self._compute(repeat=False)

    async def on_timer(self, now_ms: int) -> None:
        """Compute: ages have changed."""
        self._compute(repeat=True)

    def _compile(self) -> None:
        outputs, problems = compiled(self.entry, self.settings, self.network)
        if problems:
            raise ConfigError(f"{self.codifier} cannot compute:", problems)
        self.outputs = make_outputs(outputs, self.settings, self.network)
        self._targets = {o.set: o.codifier for o in self.settings.outputs if o.set}
        self._sets = {o.codifier: o.set for o in self.settings.outputs if o.set}
        self._sent: dict[str, Result] = {}

    def _compute(self, *, repeat: bool) -> None:
        """Evaluate, and send what changed; with `repeat` what did not change too."""
        if not self.active:
            return
        for result in self.outputs.run(now_ms() / 1000):
            if result.value is None:
                if self._log_throttle.allow(result.codifier, time.monotonic()):
                    self.log.warning("%s: no value: %s", result.codifier, result.reason)
                continue
            if result.codifier in self._sets and result.quality in ORDERED:
                self._order(self._sets[result.codifier], float(result.value), repeat=repeat)
            before = self._sent.get(result.codifier)
            if repeat or before is None or before[:3] != result[:3]:
                self._sent[result.codifier] = result
                self._publish(result)

    def _publish(self, result: Result) -> None:
        assert result.value is not None
        value = result.value
        owner = self.elements.get(result.codifier, self.entry)
        if owner.data_type == "integer" and isinstance(value, float):
            value = round(value)
        self.send(value, codifier=result.codifier, quality=result.quality)

    def _order(self, target: str, value: float, *, repeat: bool) -> None:
        """Order a new value at once, and an unconfirmed one again at an interval, three times."""
        ordered, tries = self._ordered.get(target, (None, 0))
        if ordered is None or abs(ordered - value) > _SAME:
            tries = _TRIES
        elif tries == 0 or not repeat:
            return
        self._ordered[target] = (value, tries - 1)
        self.send_control(Flag.SET, target, value)

    def _confirm(self, target: str, reported: float) -> None:
        """Stop repeating an order that its target reports."""
        ordered, tries = self._ordered.get(target, (None, 0))
        if ordered is not None and tries and abs(ordered - reported) <= _SAME:
            self._ordered[target] = (ordered, 0)


def make_outputs(
    outputs: Sequence[Output], settings: ExpressionSettings, network: Network
) -> Outputs:
    """Return the outputs of a node with the inputs that they read."""
    own = {output.codifier for output in outputs}
    types = _types(network)
    limits = {sensor.codifier: sensor.timeout_warning for sensor in network.sensors}
    read = {code for o in outputs for e in o.expressions for code in e.inputs} - own
    if settings.fresh is not None:
        limits = dict.fromkeys(read, settings.fresh)
    return Outputs(outputs, types, {code: limits[code] for code in sorted(read)})


def compiled(
    node: Sensor, settings: ExpressionSettings, network: Network
) -> tuple[list[Output], list[Problem]]:
    """Return the compiled outputs of a node, and the mistakes in its expressions."""
    types, problems, found = _types(network), list[Problem](), []
    for output in settings.outputs:
        where = f"Sensors[{node.codifier}].Sensor.Outputs[{output.codifier}]"
        texts = [(f"{where}.Value", output.value)]
        texts += [(f"{where}.Else[{i}]", text) for i, text in enumerate(output.else_)]
        expressions = []
        for path, text in texts:
            try:
                expressions.append(compile_expression(text, types))
            except ExpressionError as error:
                problems.append(Problem(path, str(error)))
        found.append(Output(output.codifier, expressions, output.min, output.max, output.first))
        wanted = types.get(output.codifier, "")
        for (path, _), each in zip(texts, expressions, strict=False):
            if each.type != wanted and {each.type, wanted} != {"number", "bool"}:
                problems.append(Problem(path, f"gives a {each.type}, expected a {wanted}"))
    return found, problems


def _types(network: Network) -> Mapping[str, str]:
    return {sensor.codifier: type_of(sensor.data_type) for sensor in network.sensors}


def _problems(node: Sensor, settings: ExpressionSettings, network: Network) -> list[Problem]:
    known = {sensor.codifier: sensor for sensor in network.sensors}
    own = {node.codifier, *(each.codifier for each in network.elements(node.codifier))}
    _, found = compiled(node, settings, network)
    for output in settings.outputs:
        where = f"Sensors[{node.codifier}].Sensor.Outputs[{output.codifier}]"
        if output.codifier not in own:
            text = f"no element {output.codifier} of {node.codifier}: expected one with Type Proxy"
            found.append(Problem(f"{where}.Codifier", text))
        target = known.get(output.set)
        if output.set and target is None:
            found.append(Problem(f"{where}.Set", f"no codifier {output.set!r} in Sensors"))
        elif target is not None and target.control != "enabled":
            text = f'{output.set} takes no orders: it needs "Control": "enabled"'
            found.append(Problem(f"{where}.Set", text))
    return found
