"""Numbers in bytes of I2C chips: sign, order, checksum; conversions of an MCP3424. Pure."""

from typing import Final, NamedTuple

from jph.errors import DeviceError

_CRC_POLYNOMIAL: Final = 0x31
_REFERENCE_V: Final = 2.048
CONVERSION_S: Final = {12: 1 / 240, 14: 1 / 60, 16: 1 / 15, 18: 1 / 3.75}
"""Seconds of a conversion by its bits."""
_BITS: Final = {12: 0, 14: 1, 16: 2, 18: 3}
_GAINS: Final = {1: 0, 2: 1, 4: 2, 8: 3}
_BUSY: Final = 0x80
"""Bit of the configuration byte: written it starts a conversion, read it says that it goes on."""


class Form(NamedTuple):
    """A number in bytes; `shift` is in bits, to the right."""

    size: int = 1
    signed: bool = False
    little: bool = False
    shift: int = 0


def number(data: bytes, form: Form) -> int:
    """Return the number in bytes.

    Raises:
        DeviceError: there are too few.
    """
    if len(data) < form.size:
        raise DeviceError(f"{len(data)} bytes, expected {form.size}")
    order = "little" if form.little else "big"
    return (
        int.from_bytes(data[: form.size], order, signed=form.signed) >> form.shift  # type: ignore[arg-type]
    )


def encoded(value: float, form: Form) -> bytes:
    """Return the bytes of a number.

    Raises:
        ValueError: they do not hold it.
    """
    whole = round(value) << form.shift
    try:
        return whole.to_bytes(form.size, "little" if form.little else "big", signed=form.signed)
    except OverflowError:
        raise ValueError(f"{value:g} does not fit {form.size} bytes") from None


def crc8(data: bytes) -> int:
    """Return the checksum of Sensirion's chips: x⁸ + x⁵ + x⁴ + 1 from 0xFF."""
    crc = 0xFF
    for each in data:
        crc ^= each
        for _ in range(8):
            crc = (crc << 1 ^ _CRC_POLYNOMIAL if crc & 0x80 else crc << 1) & 0xFF
    return crc


def checked(data: bytes, size: int) -> bytes:
    """Return bytes whose checksum follows them; some chips have one after each two bytes.

    Raises:
        DeviceError: it is wrong.
    """
    if len(data) < size + 1:
        raise DeviceError(f"{len(data)} bytes, expected {size + 1} with the checksum")
    if crc8(data[:size]) != data[size]:
        raise DeviceError("its checksum is wrong")
    return data[:size]


def adc_order(channel: int, bits: int, gain: int) -> int:
    """Return the byte that starts one conversion of channel 0 to 3 of an MCP3424."""
    return _BUSY | channel << 5 | _BITS[bits] << 2 | _GAINS[gain]


def adc_size(bits: int) -> int:
    """Return how many bytes an answer has, the configuration byte included."""
    return 4 if bits == 18 else 3


def adc_volt(answer: bytes, order: int) -> float | None:
    """Return the volt of an answer; None while the conversion goes on.

    Raises:
        DeviceError: it is no answer to this order, or the input is outside of the chip's range.
    """
    config = answer[-1]
    if config & 0x7F != order & 0x7F:
        raise DeviceError("the chip answers with another configuration: another program uses it")
    if config & _BUSY:
        return None
    bits = 12 + 2 * (order >> 2 & 3)
    gain = 1 << (order & 3)
    code = int.from_bytes(answer[:-1], "big", signed=True)
    half = 1 << (bits - 1)
    if not -half < code < half - 1:
        raise DeviceError("the input is outside of the range of the chip")
    return code * _REFERENCE_V / half / gain
