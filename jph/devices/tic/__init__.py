"""Téléinformation client (TIC): the link of French electricity meters, without input or output."""

from jph.devices.tic.labels import BAUD_RATES, HISTORIQUE, STANDARD, Mode
from jph.devices.tic.line import Cause, Group, checksum, decode
from jph.devices.tic.reader import FrameEnd, FrameReader, ReaderEvent, groups

__all__ = [
    "BAUD_RATES",
    "HISTORIQUE",
    "STANDARD",
    "Cause",
    "FrameEnd",
    "FrameReader",
    "Group",
    "Mode",
    "ReaderEvent",
    "checksum",
    "decode",
    "groups",
]
