"""Signed configs: changed text, signatures, rosters, what a machine admits, the line of enrol."""

import json
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("cryptography")
pytest.importorskip("argon2")

from jph.cli.sealing import house as houses
from jph.cli.sealing.changes import changes
from jph.errors import SealError
from jph.seal.document import is_signed, roster_in, signature_line, with_keys
from jph.seal.enrolment import Channel, Line, read_line
from jph.seal.generation import open_for_house, open_generation_key
from jph.seal.identity import (
    HouseKey,
    NodeKeys,
    key_path,
    load_keys,
    load_or_create_keys,
    new_keys,
    save_keys,
)
from jph.seal.roster import Rights, Roster, fingerprint, owners, usual_rights
from jph.seal.trust import Trust, load_trust, remember, save_trust

HOUSE = HouseKey(bytes(range(32)))
STRANGER = HouseKey(bytes(range(1, 33)))
KEYS = {code: new_keys() for code in ("TI", "P1", "CC")}
PLAIN = b'{\n  "_note": "by hand, \\u00e9",\n  "Sensors": [ {"Codifier": "TI"} ]\n}\n'


def house_of(keys: dict[str, NodeKeys] = KEYS, house: HouseKey = HOUSE) -> Roster:
    new = {code: (each.public, usual_rights("Teleinfo")) for code, each in keys.items()}
    return houses.with_members(houses.first_roster(house), house, new)


ROSTER = house_of()
DOCUMENT = with_keys(PLAIN, {"Roster": ROSTER, "Seal": "watch"})
SIGNATURE = signature_line(HOUSE, DOCUMENT)
TRUST = Trust(HOUSE.public.sign, 1, 1)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50)
@given(
    st.dictionaries(st.text(), json_values, max_size=5),
    st.dictionaries(st.sampled_from(["Roster", "Seal", "a"]), st.integers() | st.none()),
    st.sampled_from([None, 1, 2]),
)
def test_keys_are_set_and_removed_and_the_rest_stays(
    content: dict[str, object], values: dict[str, int | None], indent: int | None
) -> None:
    text = json.dumps(content, indent=indent).encode()
    expected = dict[str, object](content | values)
    for key, value in values.items():
        if value is None:
            del expected[key]
    assert json.loads(with_keys(text, values)) == expected


def test_the_text_that_a_person_wrote_stays() -> None:
    assert b'"_note": "by hand, \\u00e9",\n  "Sensors": [ {"Codifier": "TI"} ]' in DOCUMENT
    assert with_keys(DOCUMENT, {"Roster": None, "Seal": None}).split() == PLAIN.split()
    assert with_keys(DOCUMENT, {"Roster": ROSTER}) == DOCUMENT


@settings(max_examples=60)
@given(st.integers(0, len(DOCUMENT) * 8 - 1))
def test_a_changed_bit_of_the_config_is_refused(bit: int) -> None:
    changed = bytearray(DOCUMENT)
    changed[bit // 8] ^= 1 << bit % 8
    assert is_signed(DOCUMENT, SIGNATURE, HOUSE.public.sign)
    assert not is_signed(bytes(changed), SIGNATURE, HOUSE.public.sign)
    with pytest.raises(SealError):
        TRUST.admit(bytes(changed), SIGNATURE)


@given(st.binary(max_size=200))
def test_any_signature_file_is_read(content: bytes) -> None:
    assert not is_signed(DOCUMENT, content, HOUSE.public.sign)
    assert is_signed(DOCUMENT, SIGNATURE + content, HOUSE.public.sign)


def test_a_machine_admits_only_what_its_house_signed() -> None:
    assert TRUST.admit(DOCUMENT, SIGNATURE) == ROSTER
    assert Trust().admit(PLAIN, None) is None
    with pytest.raises(SealError, match="no member"):
        Trust().admit(DOCUMENT, SIGNATURE)
    with pytest.raises(SealError, match="no Roster"):
        TRUST.admit(PLAIN, None)
    with pytest.raises(SealError, match="seal sign"):
        TRUST.admit(DOCUMENT, None)
    with pytest.raises(SealError, match="not signed as it is now"):
        TRUST.admit(DOCUMENT, signature_line(STRANGER, DOCUMENT))
    with pytest.raises(SealError, match="serial is 1, this machine has seen 2"):
        TRUST._replace(serial=2).admit(DOCUMENT, SIGNATURE)


def test_a_roster_that_names_another_house_is_refused() -> None:
    document = with_keys(PLAIN, {"Roster": house_of(house=STRANGER)})
    with pytest.raises(SealError, match="another house key"):
        TRUST.admit(document, signature_line(HOUSE, document))


def test_the_highest_serial_is_remembered(tmp_path: Path) -> None:
    assert load_trust(tmp_path) == Trust()
    save_trust(tmp_path, TRUST)
    remember(tmp_path, houses.next_serial(ROSTER, Trust(serial=6)))
    remember(tmp_path, ROSTER)
    assert load_trust(tmp_path) == Trust(HOUSE.public.sign, 7, 1)
    remember(tmp_path, house_of(house=STRANGER))
    assert load_trust(tmp_path).house == HOUSE.public.sign


def test_each_member_opens_the_generation_key_and_no_other() -> None:
    key = open_for_house(ROSTER, HOUSE)
    assert {open_generation_key(ROSTER, code, keys) for code, keys in KEYS.items()} == {key}
    with pytest.raises(SealError, match="not those of the roster"):
        open_generation_key(ROSTER, "TI", KEYS["P1"])
    with pytest.raises(SealError, match="no member"):
        open_generation_key(ROSTER, "Q1", KEYS["P1"])
    with pytest.raises(SealError, match="another house"):
        open_for_house(ROSTER, STRANGER)


def test_a_revoked_member_has_no_part_in_the_next_generation() -> None:
    after = houses.next_generation(ROSTER, without="P1")
    assert (after.generation, after.serial, after.grace) == (2, 2, 0)
    assert open_for_house(after, HOUSE) != open_for_house(ROSTER, HOUSE)
    assert open_generation_key(after, "TI", KEYS["TI"]) == open_for_house(after, HOUSE)
    with pytest.raises(SealError, match="no member"):
        open_generation_key(after, "P1", KEYS["P1"])
    with pytest.raises(SealError, match="its members are"):
        houses.next_generation(after, without="P1")


def test_rotation_keeps_all_members_and_accepts_the_old_key_for_a_while() -> None:
    after = houses.next_generation(ROSTER)
    assert (after.generation, after.grace, [*after.members]) == (2, 600, [*ROSTER.members])
    assert open_generation_key(after, "P1", KEYS["P1"]) == open_for_house(after, HOUSE)


def test_new_keys_of_a_member_keep_its_rights() -> None:
    keys = new_keys()
    again = houses.with_members(ROSTER, HOUSE, {"CC": (keys.public, Rights(drill=True))})
    assert again.members["CC"].may == ROSTER.members["CC"].may
    assert open_generation_key(again, "CC", keys) == open_for_house(ROSTER, HOUSE)
    with pytest.raises(SealError):
        open_generation_key(again, "CC", KEYS["CC"])


def test_a_node_speaks_for_its_elements() -> None:
    assert owners(ROSTER, [("TI", None), ("I1", "TI"), ("XX", "Q1")]) == {
        **{code: code for code in KEYS},
        "I1": "TI",
    }


def test_rights_follow_the_kind() -> None:
    assert houses.rights_of("Expression", {"Outputs": [{"Set": "SP"}, {}]}).set == ("SP",)
    assert houses.rights_of("Shedding", {"Loads": [{"Codifier": "HW"}]}).set == ("HW",)
    assert houses.rights_of("ControlProgram", {}).drill
    assert houses.rights_of("Teleinfo", {}) == Rights()


def test_key_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    keys = load_or_create_keys(tmp_path, "TI")
    assert load_keys(tmp_path, "TI").public == keys.public
    assert load_or_create_keys(tmp_path, "TI").public == keys.public
    path = key_path(tmp_path, "TI")
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(SealError, match="other users"):
        load_keys(tmp_path, "TI")
    path.chmod(0o600)
    path.write_text("{}")
    with pytest.raises(SealError, match="enrol TI again"):
        load_keys(tmp_path, "TI")
    save_keys(tmp_path, "TI", keys)
    assert load_keys(tmp_path, "TI").public == keys.public


def test_the_house_key_opens_with_its_passphrase_alone(tmp_path: Path) -> None:
    path = tmp_path / "house.key"
    with pytest.raises(SealError, match="8 characters"):
        HOUSE.save(path, "short")
    HOUSE.save(path, "correct horse")
    assert HouseKey.load(path, "correct horse").public == HOUSE.public
    assert bytes(range(32)) not in path.read_bytes()
    with pytest.raises(SealError, match="is wrong"):
        HouseKey.load(path, "wrong horse")
    with pytest.raises(SealError, match="seal makes one"):
        HouseKey.load(tmp_path / "none", "correct horse")


addresses = st.ip_addresses().map(str)


@settings(max_examples=25)
@given(addresses, st.integers(1, 65535), st.binary(min_size=16, max_size=16))
def test_a_line_survives_the_way(address: str, port: int, secret: bytes) -> None:
    line = Line(address, port, fingerprint(HOUSE.public.sign), secret)
    text = str(line)
    assert text == text.upper()
    assert read_line(text) == line
    assert read_line(f" {text[:9].lower()}\n{text[9:]} ") == line
    for cut in range(len(text)):
        with pytest.raises(SealError):
            read_line(text[:cut])


@given(st.text(alphabet=string.printable))
def test_any_text_as_line_is_refused_in_words(text: str) -> None:
    with pytest.raises(SealError):
        read_line(text)


def test_a_channel_opens_each_message_once_and_in_order() -> None:
    ends = [Channel(b"s" * 16, b"j" * 16, b"e" * 16, joins=joins) for joins in (True, False)]
    first, second = ends[0].seal(b"one"), ends[0].seal(b"two")
    assert ends[1].open(first) == b"one"
    with pytest.raises(SealError):
        ends[1].open(first)
    assert ends[1].open(ends[0].seal(b"three")) == b"three"
    with pytest.raises(SealError):
        ends[0].open(second)


def test_changes_are_named_by_codifier() -> None:
    before = b'{"Sensors": [{"Codifier": "TI", "Name": "a"}, {"Codifier": "P1"}], "Gone": 1}'
    after = b'{"Sensors": [{"Codifier": "P1"}, {"Codifier": "TI", "Name": "b"}], "New": 1}'
    assert changes(before, after) == ['Sensors.TI.Name: "a" → "b"', "Gone: removed", "New: new, 1"]
    assert changes(before, before) == []


def test_the_roster_reads_back_from_the_document() -> None:
    assert roster_in(DOCUMENT) == ROSTER
    assert roster_in(PLAIN) is None
