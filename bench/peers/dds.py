"""The reading as Cyclone DDS writes it."""

from dataclasses import dataclass

from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import float64, uint32, uint64


@dataclass
class Message(IdlStruct, typename="Message"):  # type: ignore[call-arg]  # its types are not read
    """Identity, sequence, time and value."""

    sequence: uint32
    epoch: uint32
    timestamp_ms: uint64
    identity: str
    value: float64
