import io

from collector.db.archive import Entry, copies, entries, left_out

SCRIPT = rb"""
SET client_encoding = 'LATIN1';
\! touch harm
SELECT pg_catalog.set_config('search_path', 'harm', false);
COPY public.reading (a) FROM PROGRAM 'touch harm';
COPY harm.reading (a) FROM stdin;
1
\.
COPY public.reading_2026_11 ("timestamp", epoch) FROM stdin;
COPY public.gap (id) FROM stdin;
x\ty\\.
\.
DROP TABLE reading;
COPY public."gap" (id, first) FROM stdin;
\.
COPY public.source (codifier) FROM stdin;
cut
"""


def test_only_rows_are_taken_of_a_script() -> None:
    found = []
    for copy in copies(io.BytesIO(SCRIPT)):
        rows = copy.rows.read()
        found.append(
            (copy.table, copy.columns, copy.encoding, rows, copy.rows.read(), copy.rows.whole)
        )
    header = b"COPY public.gap (id) FROM stdin;\nx\\ty\\\\.\n"
    assert found == [
        ("reading_2026_11", ("timestamp", "epoch"), "LATIN1", header, b"", True),
        ("gap", ("id", "first"), "LATIN1", b"", b"", True),
        ("source", ("codifier",), "LATIN1", b"cut\n", b"", False),
    ]


def test_what_is_none_of_ours_is_named() -> None:
    listing = """;
; Archive created at 2026-11-30
760; 1255 16632 FUNCTION public codifiers_between(timestamp with time zone) jph
761; 1255 16633 FUNCTION public harm() jph
3; 3079 1 EXTENSION - plpython3u postgres
219; 1259 16384 TABLE public gap jph
5250; 0 0 COMMENT public VIEW sensor_11 jph
251; 1259 16700 VIEW public sensor_11 jph
5300; 0 16384 TABLE DATA public gap jph
5301; 0 16384 TABLE DATA other gap jph
5302; 2620 9 TRIGGER public gap touch jph
5303; 2620 9 TRIGGER public gap harm jph
"""
    found = entries(listing)
    assert len(found) == 10
    assert found[6] == Entry(5300, "TABLE DATA", "public", "gap")
    assert left_out(found, {"gap", "gap touch", "codifiers_between"}) == [
        "function harm()",
        "extension plpython3u",
        "table data other.gap",
        "trigger gap harm",
    ]
