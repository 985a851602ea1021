"""A sealed log gives back what was put in, and says exactly where anything was done to it.

The slow model of damage: a reader vouches for the chunks that lie within the longest common prefix
of the file it is given and the genuine file with that header; the file is clean if equal, cut short
if the given one is that prefix, damaged otherwise. The format has a slow reader: `tests.slow_log`.

Mutants that died here: index not compared; link not compared; link without the length word; length
bound off by one; ratchet not stepped; chunk key without the chunk's head; end mark not signed, or
its signature not checked; bytes after the end let pass; verdict "clean" without an end mark; the
head not advanced over the end mark; a buffer that loses bytes between pieces; a ratchet that keeps
its first secret or last key; a writer that keeps the file key or the last plaintext; a
head in the verdict that covers the forged chunk.
"""

import gc
import random
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crypto.log_chain import NOTHING_KNOWN, Damage, Known, LogChain, LogState
from crypto.log_reader import SealedLogReader, open_sealed_log
from crypto.primitives import AEADS, Ed25519, InvalidTagError, XWingKeyPair
from crypto.sealed_log import (
    CHUNK_HEAD,
    CHUNK_OVERHEAD,
    HEADER_BYTES,
    MAX_CHUNK_BYTES,
    NONCE,
    LogContent,
    LogHeader,
    Ratchet,
    SealedLogWriter,
    link,
)
from tests import slow_log

RANDOM = random.Random(35)
KEY = XWingKeyPair(RANDOM.randbytes(32))
SIGNER = Ed25519(RANDOM.randbytes(32))
HEADER = LogHeader(LogContent.TLOG, bytes(range(16)), 7, 3)
DATA = [b"first" * 3, b"2", b"third chunk", b"x" * 40, b"fifth"]


def write(data, signer=SIGNER, header=HEADER):
    """Return the segments of a file: header, chunks, end mark; and the head after each."""
    writer = SealedLogWriter(KEY.public, header, signer, RANDOM.randbytes)
    segments, heads = [writer.header_bytes], [writer.head]
    for piece in data:
        segments.append(writer.append(piece))
        heads.append(writer.head)
    segments.append(writer.finish())
    heads.append(writer.head)
    return segments, heads


GENUINE, HEADS = write(DATA)
FILE = b"".join(GENUINE)
OTHER, OTHER_HEADS = write(DATA)
BOUNDS = [sum(map(len, GENUINE[: n + 1])) for n in range(len(GENUINE) - 1)]  # ends of data chunks


def genuine_with_this_header(given):
    if given.startswith(OTHER[0]):
        return b"".join(OTHER), OTHER_HEADS
    return FILE, HEADS


def expected(given):
    """The slow model: the state, and how many chunks are vouched for."""
    file, _ = genuine_with_this_header(given)
    common = next(
        (i for i, (a, b) in enumerate(zip(file, given, strict=False)) if a != b),
        min(len(file), len(given)),
    )
    whole = [bound for bound in BOUNDS if bound <= common]
    if given == file:
        return LogState.CLEAN, len(DATA)
    state = LogState.CUT_SHORT if common == len(given) else LogState.DAMAGED
    return state, max(0, len(whole) - 1)


def judge(given, known=NOTHING_KNOWN):
    chunks, verdict = open_sealed_log(KEY, given, known)
    _, heads = genuine_with_this_header(given)
    assert [chunk.data for chunk in chunks] == DATA[: len(chunks)]
    assert [chunk.head for chunk in chunks] == heads[1 : len(chunks) + 1]
    assert verdict.chunks == len(chunks)
    behind_the_end = verdict.chunks == len(DATA) and verdict.damage is not Damage.FORGED
    assert verdict.head in (b"", heads[verdict.chunks], *heads[-1:] * behind_the_end)
    return verdict


def check(given):
    verdict = judge(given)
    assert (verdict.state, verdict.chunks) == expected(given)
    if verdict.state is not LogState.CLEAN and verdict.damage is not Damage.AFTER_END:
        # The place named is where the first chunk that is not vouched for begins.
        ends = [0, *BOUNDS]
        assert verdict.offset in (ends[verdict.chunks + 1], 0, len(FILE) - 64)
    return verdict


SIZES = st.one_of(st.integers(1, 80), st.sampled_from([1, 4095, 4096, 70_000]))


@settings(max_examples=40)
@given(st.lists(SIZES, max_size=8), st.integers(1, 9000))
@example([], 1)
@example([MAX_CHUNK_BYTES], 65536)
def test_what_was_put_in_comes_out_whatever_the_pieces(sizes, piece):
    data = [RANDOM.randbytes(size) for size in sizes]
    segments, heads = write(data)
    file = b"".join(segments)
    assert len(file) == HEADER_BYTES + sum(sizes) + CHUNK_OVERHEAD * (len(sizes) + 1) + 64
    assert slow_log.read(KEY.seed, file) == data
    reader, chain, chunks = SealedLogReader(KEY, Known(SIGNER.public)), LogChain(), []
    for at in range(0, len(file), piece):
        chunks += reader.receive_untrusted(file[at : at + piece])
        chain.receive_untrusted(file[at : at + piece])
    assert [chunk.data for chunk in chunks] == data
    assert [chunk.index for chunk in chunks] == list(range(len(data)))
    assert [chunk.head for chunk in chunks] == heads[1:-1]
    verdict = reader.finish()
    assert verdict == chain.finish()
    assert verdict == (LogState.CLEAN, len(data), heads[-1], len(file), None, None)
    assert reader.header is not None
    assert reader.header.header == HEADER


def test_truncation_at_every_byte():
    for size in range(len(FILE)):
        verdict = check(FILE[:size])
        assert verdict.state is LogState.CUT_SHORT
        complete = [bound for bound in BOUNDS if bound <= size]
        assert verdict.chunks == max(0, len(complete) - 1)
        assert (
            verdict.head
            == (HEADS[len(complete) - 1] if size < len(FILE) - 64 else HEADS[-1])[
                : 32 if complete else 0
            ]
        )


@pytest.mark.slow
def test_every_bit_flip():
    for at in range(len(FILE)):
        for bit in range(8):
            flipped = FILE[:at] + bytes([FILE[at] ^ 1 << bit]) + FILE[at + 1 :]
            assert check(flipped).state is LogState.DAMAGED


OPERATIONS = st.one_of(
    st.tuples(st.just("delete"), st.integers(0, 6), st.just(0)),
    st.tuples(st.just("repeat"), st.integers(0, 6), st.integers(0, 7)),
    st.tuples(st.just("swap"), st.integers(0, 6), st.integers(0, 6)),
    st.tuples(st.just("splice"), st.integers(0, 6), st.integers(0, 6)),
    st.tuples(st.just("insert foreign"), st.integers(0, 6), st.integers(0, 7)),
    st.tuples(st.just("junk"), st.integers(40, 200), st.integers(0, 7)),
)


def mutate(segments, operation):
    kind, first, second = operation
    segments = list(segments)
    if kind == "delete" and first < len(segments):
        del segments[first]
    elif kind == "repeat":
        segments.insert(second, GENUINE[first])
    elif kind == "swap" and max(first, second) < len(segments):
        segments[first], segments[second] = segments[second], segments[first]
    elif kind == "splice" and second < len(segments):
        segments[second] = OTHER[first]
    elif kind == "insert foreign":
        segments.insert(second, OTHER[first])
    elif kind == "junk":
        segments.insert(second, bytes(first))
    return segments


@settings(max_examples=200)
@given(st.lists(OPERATIONS, min_size=1, max_size=3))
@example([("splice", 1, 0), ("insert foreign", 0, 0)])  # a prefix of the other file
def test_any_rearrangement_is_seen_where_it_begins(operations):
    segments = GENUINE
    for operation in operations:
        segments = mutate(segments, operation)
    check(b"".join(segments))


@pytest.mark.parametrize(
    ("what", "segments", "damage", "at", "found"),
    [
        ("deleted", [0, 1, 3, 4, 5, 6], Damage.OUT_OF_ORDER, 1, 2),
        ("repeated", [0, 1, 2, 2, 3, 4, 5, 6], Damage.OUT_OF_ORDER, 2, 1),
        ("reordered", [0, 1, 3, 2, 4, 5, 6], Damage.OUT_OF_ORDER, 1, 2),
        ("middle cut out", [0, 1, 6], Damage.OUT_OF_ORDER, 1, 5),
        ("spliced from another file", [0, 1, "2", 3, 4, 5, 6], Damage.NOT_LINKED, 1, None),
        ("another file's end", [0, 1, 2, 3, 4, 5, "6"], Damage.NOT_LINKED, 5, None),
        ("another file's header", ["0", 1, 2, 3, 4, 5, 6], Damage.NOT_LINKED, 0, None),
        ("after the end", [0, 1, 2, 3, 4, 5, 6, 6], Damage.AFTER_END, 5, None),
    ],
)
def test_each_damage_has_its_name(what, segments, damage, at, found):
    given = b"".join(OTHER[int(s)] if isinstance(s, str) else GENUINE[s] for s in segments)
    verdict = check(given)
    assert (verdict.damage, verdict.chunks, verdict.found) == (damage, at, found), what


@pytest.mark.parametrize(
    ("at", "damage", "chunks"),
    [
        (0, Damage.NOT_A_LOG, 0),
        (8, Damage.UNKNOWN_VERSION, 0),
        (9, Damage.UNKNOWN_VERSION, 0),
        (11, Damage.UNKNOWN_VERSION, 0),
        (35, Damage.HEADER_FORGED, 0),
        (76, Damage.HEADER_FORGED, 0),
        (HEADER_BYTES - 1, Damage.HEADER_FORGED, 0),
        (BOUNDS[0] + 3, Damage.OUT_OF_ORDER, 0),
        (BOUNDS[1] + 7, Damage.NOT_LINKED, 1),
        (BOUNDS[1] + 8, Damage.NOT_LINKED, 1),
        (BOUNDS[1] + 40, Damage.FORGED, 1),
        (BOUNDS[2] - 1, Damage.FORGED, 1),
        (BOUNDS[-1] + 4, Damage.NOT_LINKED, 5),
        (BOUNDS[-1] + 55, Damage.FORGED, 5),
        (len(FILE) - 1, Damage.END_FORGED, 5),
    ],
)
def test_each_changed_byte_has_its_name(at, damage, chunks):
    verdict = check(FILE[:at] + bytes([FILE[at] ^ 0x80]) + FILE[at + 1 :])
    assert (verdict.damage, verdict.chunks) == (damage, chunks)


def test_a_forger_who_makes_the_chain_anew_is_found_by_the_key():
    """The links are public: only the chunk keys stand between a forger and the contents."""
    head, forged = HEADS[0], [GENUINE[0]]
    for index, chunk in enumerate(GENUINE[1:4]):
        word, body = chunk[4:8], bytearray(chunk[40:])
        if index == 1:
            body[0] ^= 1
        chunk_head = CHUNK_HEAD.pack(
            index, int.from_bytes(word, "big"), link(head, index, int.from_bytes(word, "big"))
        )
        forged.append(chunk_head + bytes(body))
        head = slow_log.sha256(forged[-1])
    chain = LogChain()
    chain.receive_untrusted(b"".join(forged))
    assert chain.finish().state is LogState.CUT_SHORT  # as docs/sealed-logs.md admits
    verdict = judge(b"".join(forged))
    assert (verdict.damage, verdict.chunks) == (Damage.FORGED, 1)
    assert verdict.offset == BOUNDS[1]


@pytest.mark.parametrize(
    "word", [0, MAX_CHUNK_BYTES + 1, (1 << 31) - 1, (1 << 31) + 1, (1 << 32) - 1]
)
def test_a_length_that_no_chunk_has_is_refused_before_it_is_waited_for(word):
    chunk_head = CHUNK_HEAD.pack(0, word, link(HEADS[0], 0, word))
    assert judge(GENUINE[0] + chunk_head).damage is Damage.BAD_LENGTH


def test_a_writer_that_the_recipient_does_not_expect():
    thief = Ed25519(RANDOM.randbytes(32))
    forged = b"".join(write(DATA, signer=thief)[0])
    assert open_sealed_log(KEY, forged)[1].state is LogState.CLEAN
    _, verdict = open_sealed_log(KEY, forged, Known(SIGNER.public))
    assert (verdict.state, verdict.damage) == (LogState.DAMAGED, Damage.OTHER_SIGNER)
    assert judge(FILE, Known(SIGNER.public)).state is LogState.CLEAN


def test_a_head_that_the_ground_knows_shows_a_cut_tail():
    for count, head in enumerate(HEADS):
        for size in (4, 32):
            known = Known(head=head[:size])
            assert judge(FILE, known).state is LogState.CLEAN
            assert judge(b"".join(GENUINE[: count + 1]), known).state in ("cut short", "clean")
            verdict = judge(b"".join(GENUINE[:count]), known)
            assert (verdict.state, verdict.damage) == (LogState.DAMAGED, Damage.HEAD_MISSING)


def test_another_private_key_opens_nothing():
    chunks, verdict = open_sealed_log(XWingKeyPair(RANDOM.randbytes(32)), FILE)
    assert chunks == []
    assert verdict == (LogState.DAMAGED, 0, b"", 0, Damage.OTHER_KEY, None)


@given(st.binary(max_size=3000), st.booleans())
def test_junk_never_raises(junk, behind_a_header):
    data = (GENUINE[0] if behind_a_header else b"") + junk
    chunks, verdict = open_sealed_log(KEY, data)
    chain = LogChain()
    chain.receive_untrusted(data)
    assert chunks == []
    assert verdict.chunks == chain.finish().chunks == 0


@pytest.mark.slow
def test_a_big_file_needs_little_memory():
    writer = SealedLogWriter(KEY.public, HEADER, SIGNER, RANDOM.randbytes)
    reader, read = SealedLogReader(KEY), 0
    big = bytes(MAX_CHUNK_BYTES)
    gc.collect()
    tracemalloc.start()
    for part in [writer.header_bytes, *[None] * 40, b""]:
        sealed = writer.finish() if part == b"" else part or writer.append(big)
        for at in range(0, len(sealed), 1 << 16):
            read += sum(len(c.data) for c in reader.receive_untrusted(sealed[at : at + (1 << 16)]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read == 40 * MAX_CHUNK_BYTES
    assert reader.finish().state is LogState.CLEAN
    assert peak < 8 * MAX_CHUNK_BYTES


def held_by(obj):
    """Return every byte string reachable from an object, as a memory image would show it."""
    seen, found, todo = set(), set(), [obj]
    while todo:
        item = todo.pop()
        if id(item) in seen or isinstance(item, type) or callable(item):
            continue
        seen.add(id(item))
        if isinstance(item, bytes | bytearray):
            found.add(bytes(item))
        todo += gc.get_referents(item)
        todo += [getattr(item, s) for s in getattr(type(item), "__slots__", ()) if hasattr(item, s)]
    return found


def opens(secrets, header_hash, chunk):
    """Try every 32 bytes held, in every role that a secret of this format can have."""
    chunk_head, body = chunk[:40], chunk[40:]
    windows = {s[i : i + 32] for s in secrets for i in range(max(0, len(s) - 31))}
    keys = set(windows)
    for window in windows:
        ratchet = Ratchet(window, header_hash)
        keys |= {ratchet.next_key(chunk_head) for _ in range(len(DATA))}
        ratchet._secret = window
        keys |= {ratchet.next_key(chunk_head) for _ in range(len(DATA))}
    for key in keys:
        try:
            AEADS["ChaChaPoly"](key).decrypt(NONCE, body, None)
        except InvalidTagError:
            continue
        return True
    return False


def test_a_captured_writer_does_not_open_what_it_wrote():
    writer = SealedLogWriter(KEY.public, HEADER, SIGNER, RANDOM.randbytes)
    header_hash, written = writer.head, []
    for data in (b"first of all", b"second chunk", b"third chunk"):
        written.append(writer.append(data))
        secrets = held_by(writer)
        assert not any(data in secret for secret in secrets)
        assert len(secrets) >= 4
        secrets -= {writer.header_bytes}  # long, and the same as in the file
        assert not any(opens(secrets, header_hash, chunk) for chunk in written)
    # The search does find a key that is there: what is written next opens with what is held now.
    assert opens(secrets, header_hash, writer.append(DATA[3]))


def test_no_plaintext_in_the_file():
    canary = b"lat=35.6586 lon=139.7454 CANARY"
    file = b"".join(write([canary, canary * 50, b"\0" * 4096])[0])
    assert not any(canary[i : i + 8] in file for i in range(len(canary) - 8))
    assert bytes(16) not in file
    assert len({file[i : i + 16] for i in range(HEADER_BYTES, len(file) - 16)}) == (
        len(file) - 16 - HEADER_BYTES
    )


def test_two_files_share_nothing_but_their_open_fields():
    assert GENUINE[0][:76] == OTHER[0][:76]
    assert GENUINE[0][76:] != OTHER[0][76:]
    assert all(a[8:] != b[8:] for a, b in zip(GENUINE[1:], OTHER[1:], strict=True))
