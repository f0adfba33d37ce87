"""Meter frames made for the tests, by the norms' own words and not by the code under test."""

from jph.devices.tic import Group

Line = tuple[str, ...]
"""Label and value; or label, horodate and value."""

HISTORIQUE_SINGLE: tuple[Line, ...] = (
    ("ADCO", "041876543210"),
    ("OPTARIF", "HC.."),
    ("ISOUSC", "45"),
    ("HCHC", "012345678"),
    ("HCHP", "023456789"),
    ("PTEC", "HP.."),
    ("IINST", "012"),
    ("IMAX", "090"),
    ("PAPP", "02760"),
    ("HHPHC", "A"),
    ("MOTDETAT", "000000"),
)
HISTORIQUE_THREE: tuple[Line, ...] = (
    ("ADCO", "041876543211"),
    ("OPTARIF", "BBR("),
    ("ISOUSC", "20"),
    ("BBRHCJB", "001000000"),
    ("BBRHPJB", "002000000"),
    ("BBRHCJW", "003000000"),
    ("BBRHPJW", "004000000"),
    ("BBRHCJR", "005000000"),
    ("BBRHPJR", "006000000"),
    ("PTEC", "HCJW"),
    ("DEMAIN", "ROUG"),
    ("IINST1", "003"),
    ("IINST2", "014"),
    ("IINST3", "000"),
    ("IMAX1", "060"),
    ("IMAX2", "060"),
    ("IMAX3", "060"),
    ("PMAX", "08611"),
    ("PAPP", "03910"),
    ("HHPHC", "Y"),
    ("MOTDETAT", "000000"),
    ("PPOT", "00"),
)
SHORT: tuple[Line, ...] = (
    ("ADCO", "041876543211"),
    ("ADIR2", "024"),
    ("IINST1", "003"),
    ("IINST2", "024"),
    ("IINST3", "001"),
)
STANDARD_THREE: tuple[Line, ...] = (
    ("ADSC", "041876543212"),
    ("VTIC", "02"),
    ("DATE", "e261120071500", ""),
    ("NGTF", "     TEMPO      "),
    ("LTARF", "   HC  BLANC    "),
    ("EAST", "021000000"),
    ("EASF01", "001000001"),
    ("EASF02", "002000001"),
    ("EASF03", "003000001"),
    ("IRMS1", "003"),
    ("IRMS2", "014"),
    ("IRMS3", "001"),
    ("URMS1", "231"),
    ("URMS2", "232"),
    ("URMS3", "233"),
    ("PREF", "12"),
    ("PCOUP", "12"),
    ("SINSTS", "03910"),
    ("SMAXSN", "H261120061500", "07300"),
    ("SMAXSN1-1", "H261119061500", "02900"),
    ("STGE", "463A0880"),
    ("MSG1", "PAS DE          MESSAGE         "),
    ("RELAIS", "005"),
    ("NJOURF+1", "00"),
    ("PJOURF+1", "00004001 06004002" + " NONUTILE" * 9),
)
STANDARD_PRODUCER: tuple[Line, ...] = (
    ("ADSC", "041876543213"),
    ("NGTF", "      BASE      "),
    ("EASF01", "000000802"),
    ("EAIT", "007472722"),
    ("ERQ3", "001083341"),
    ("IRMS1", "004"),
    ("PREF", "06"),
    ("SINSTS", "00014"),
    ("SINSTI", "01592"),
    ("SMAXIN", "E261120000000", "02000"),
    ("CCAIN-1", "E261120000000", "01000"),
)

HISTORIQUE_BASE: tuple[Line, ...] = (
    ("ADCO", "022975123456"),
    ("OPTARIF", "BASE"),
    ("ISOUSC", "30"),
    ("BASE", "004567890"),
    ("PTEC", "TH.."),
    ("IINST", "031"),
    ("ADPS", "031"),
    ("IMAX", "031"),
    ("PAPP", "07130"),
    ("MOTDETAT", "000000"),
)
HISTORIQUE_EJP: tuple[Line, ...] = (
    ("ADCO", "030028654321"),
    ("OPTARIF", "EJP."),
    ("ISOUSC", "60"),
    ("EJPHN", "001234567"),
    ("EJPHPM", "000123456"),
    ("PEJP", "30"),
    ("PTEC", "PM.."),
    ("IINST", "020"),
    ("IMAX", "050"),
    ("PAPP", "04600"),
    ("HHPHC", "E"),
    ("MOTDETAT", "000000"),
)
STANDARD_SINGLE: tuple[Line, ...] = (
    ("ADSC", "061964123456"),
    ("VTIC", "02"),
    ("DATE", "H261120071500", ""),
    ("NGTF", "H PLEINE-CREUSE "),
    ("LTARF", "  HEURE  CREUSE "),
    ("EAST", "000031000"),
    ("EASF01", "000010000"),
    ("EASF02", "000021000"),
    ("IRMS1", "031"),
    ("URMS1", "229"),
    ("PREF", "06"),
    ("PCOUP", "06"),
    ("SINSTS", "07130"),
    ("STGE", "003A0081"),
    ("RELAIS", "000"),
    ("NTARF", "01"),
)
FRAMES = {
    "historique, Base, overrun": HISTORIQUE_BASE,
    "historique, EJP": HISTORIQUE_EJP,
    "historique, HC": HISTORIQUE_SINGLE,
    "historique, Tempo, three phases": HISTORIQUE_THREE,
    "historique, short": SHORT,
    "standard, one phase": STANDARD_SINGLE,
    "standard, three phases": STANDARD_THREE,
    "standard, producer": STANDARD_PRODUCER,
}


def said(found: list[Group]) -> list[Line]:
    """Return groups as lines."""
    return [
        (group.label, group.value)
        if group.horodate is None
        else (group.label, group.horodate, group.value)
        for group in found
    ]


def line(*fields: str, standard: bool | None = None) -> bytes:
    """Write one group without LF and CR."""
    by_tabs = len(fields) == 3 or fields[0] in _STANDARD_ONLY if standard is None else standard
    separator = "\t" if by_tabs else " "
    text = separator.join(fields)
    summed = sum((text + separator).encode() if by_tabs else text.encode())
    return f"{text}{separator}{chr((summed & 0x3F) + 0x20)}".encode()


def frame(lines: tuple[Line, ...]) -> bytes:
    """Write one frame as a meter does."""
    return b"\x02" + b"".join(b"\n" + line(*fields) + b"\r" for fields in lines) + b"\x03"


def even(data: bytes) -> bytes:
    """Set bit 7 for even parity, as it stands on the wire."""
    return bytes(byte | 0x80 * (byte.bit_count() % 2) for byte in data)


_STANDARD_ONLY = frozenset(
    fields[0] for lines in (STANDARD_SINGLE, STANDARD_THREE, STANDARD_PRODUCER) for fields in lines
) | {"SINSTS1", "SINSTS2", "SINSTS3"}
