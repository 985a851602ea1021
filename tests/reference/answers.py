"""The known answers: every value of SL1, intermediate ones too, from inputs anyone can repeat."""

import json

from tests.reference import mlkem, pairing, revocation, sl1, trajectory
from tests.reference.formulas import SUITES, dh, hashed, kdf, nonce, public, seal

ABOUT = [
    "Known answers of SL1 (docs/protocol.md), made by `python -m tests.reference`, which shares no",
    "code with the product. Byte strings are hexadecimal, numbers are numbers.",
    "For each suite: `pair` (section 2), `handshake` (section 3: the state h, ck, k after each",
    "token; k is empty before the first key), `frames` (section 4), `records` (sections 4 and 6),",
    "`transfer` and `ratchet` (section 7), `pairing` (section 9, of a supervisor).",
    "For all suites: `replay_window` (counters in order of arrival, and whether each is taken),",
    "`age_bounds` (section 5; times in s), `fragments` and `cobs` (section 8), `revocation`",
    "(section 10), `trajectory` (section 11).",
    "ML-KEM: `seed` is d || z of FIPS 203, `m` the 32 random bytes of encapsulation.",
]


def pattern(first, size=32):
    """Bytes that count up: inputs of which no two parts are alike."""
    return bytes((first + i) % 256 for i in range(size))


def mavlink(message, crc_extra, payload, sequence=0):
    """A MAVLink 2 frame of system 1, component 1; its checksum is X.25's without the last step."""
    header = bytes([len(payload), 0, 0, sequence, 1, 1]) + message.to_bytes(3, "little")
    crc = 0xFFFF
    for byte in header + payload + bytes([crc_extra]):
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return b"\xfd" + header + payload + crc.to_bytes(2, "little")


HEARTBEAT = mavlink(0, 50, bytes([0, 0, 0, 0, 2, 3, 81, 3, 3]))
RETURN = mavlink(76, 152, bytes(28) + bytes([20, 0, 1, 1]), sequence=1)  # COMMAND_LONG
LONG = mavlink(131, 223, bytes([1, 0]) + pattern(7, 253), sequence=2)  # ENCAPSULATED_DATA


def state(s):
    return {"h": s.h, "ck": s.ck, "k": s.k}


def handshake(suite, pair, slots):
    """Both messages as the ground and the drone make them."""
    ground_s, drone_s = pair["ground_private"], pair["drone_private"]
    ground_e, drone_e = pattern(0x60), pattern(0x80)
    generation, boots, i, r = 2, 0x01020304, 5, 2
    header = sl1.hs1_header(suite, generation, i)
    prologue = sl1.prologue(suite, pair["drone_id"], pair["gcs_id"], header)
    begin = sl1.before_messages(suite, prologue, public(ground_s), public(drone_s))
    es, ss = dh(ground_e, public(drone_s)), dh(ground_s, public(drone_s))
    first = sl1.message_1(suite, begin, slots[0], public(ground_e), es, ss)
    payload = sl1.hs1_payload(boots)
    sealed = seal(suite, first[-1].k, 0, payload, first[-1].h)
    between = sl1.mix_sealed(suite, first[-1], sealed)
    hs1 = sl1.with_mac(suite, pair["k_mac_i"], header + public(ground_e) + sealed)

    ee, se = dh(drone_e, public(ground_e)), dh(drone_e, public(ground_s))
    second = sl1.message_2(suite, between, public(drone_e), ee, se)
    check = sl1.slot_check(suite, slots[1])
    told = sl1.HS2Payload(0x11121314, 0x0A0B0C0D, 1, r, check, b"head")
    answer = seal(suite, second[-1].k, 0, told.encoded(), second[-1].h)
    end = sl1.mix_sealed(suite, second[-1], answer)
    head = sl1.hs2_header(suite, i, r)
    hs2 = sl1.with_mac(suite, pair["k_mac_r"], head + public(drone_e) + answer)
    up, down = sl1.split(suite, end)
    return {
        "generation": generation,
        "ground_index": i,
        "drone_index": r,
        "ground_ephemeral_private": ground_e,
        "ground_ephemeral": public(ground_e),
        "drone_ephemeral_private": drone_e,
        "drone_ephemeral": public(drone_e),
        "prologue": prologue,
        "dh": {"es": es, "ss": ss, "ee": ee, "se": se},
        "ground_boot_count": boots,
        "hs1_payload": payload,
        "hs2_fields": told._asdict(),
        "hs2_payload": told.encoded(),
        "after": {
            "pre_messages": state(begin),
            **{f"1 {t}": state(s) for t, s in zip(("psk", "e", "es", "ss"), first, strict=True)},
            "1 payload": state(between),
            **{f"2 {t}": state(s) for t, s in zip(("e", "ee", "se"), second, strict=True)},
            "2 payload": state(end),
        },
        "hs1": hs1,
        "hs2": hs2,
        "key_up": up,
        "key_down": down,
        "handshake_hash": end.h,
    }


def frame(suite, key, index, counter, inner, **fields):
    return {
        "counter": counter,
        **fields,
        "aad": sl1.frame_header(index, counter),
        "nonce": nonce(suite, counter),
        "inner": inner,
        "datagram": sl1.sealed_frame(suite, key, index, counter, inner),
    }


def frames(suite, shaken):
    up, down = [], []
    epoch = 0x0A0B0C0D
    told = sl1.status(0x010203, epoch, 1)
    for counter, ack, records, is_padded in (
        (0, sl1.NO_ACK, b"", True),
        (1, 0, RETURN, True),
        (2, 0x010203, RETURN, False),
        ((1 << 23) - 1, (1 << 23) - 1, RETURN + HEARTBEAT + RETURN, True),
    ):
        inner = sl1.inner_up(ack, epoch, records)
        inner = sl1.padded(inner) if is_padded else inner
        fields = {"ack": ack, "epoch": epoch, "records": records}
        key, index = shaken["key_up"], shaken["drone_index"]
        up.append(frame(suite, key, index, counter, inner, **fields))
    for counter, records, is_padded in (
        (0, told, False),
        (1, b"", False),
        (2, HEARTBEAT, False),
        (3, told + HEARTBEAT, True),
        ((1 << 23) - 1, HEARTBEAT + told, False),
    ):
        inner = sl1.inner_down(records)
        inner = sl1.padded(inner) if is_padded else inner
        key, index = shaken["key_down"], shaken["ground_index"]
        down.append(frame(suite, key, index, counter, inner, records=records))
    return {"up": up, "down": down}


def records(suite):
    station = pattern(0x10, 16)
    drawn = pattern(0xA0, 8)
    claim = sl1.authority_request(3, 7)
    return {
        "status": sl1.status(0x010203, 0x0A0B0C0D, 1),
        "status_nothing_heard": sl1.status(sl1.NO_ACK, 0, 0),
        "authority_hand_over": sl1.authority_request(1, 255, station),
        "authority_claim": claim,
        "authority_state": sl1.authority_state(0x0A0B0C0D, station, 5, 7, 11, 0x01020304),
        "nonce": drawn,
        "challenge_frame": sl1.challenge(drawn, RETURN),
        "confirm_frame": sl1.confirm(suite, drawn, RETURN),
        "challenge_claim": sl1.challenge(drawn, claim),
        "confirm_claim": sl1.confirm(suite, drawn, claim),
    }


def transfer():
    """Ten chunks and what is acknowledged after three arrivals."""
    blob = pattern(3, 9 * 64 + 24)
    acks = ([9], [9, 0], range(10))
    return {
        "kind": sl1.EK,
        "transfer": 1,
        "blob": blob,
        "chunks": sl1.chunks(sl1.EK, 1, blob),
        "acks": [
            {"arrived": list(arrived), "record": sl1.chunk_ack(sl1.EK, 1, 10, arrived)}
            for arrived in acks
        ],
    }


def ratchet(suite, psk, shaken):
    seed, m = pattern(0xC0, 64), pattern(0xE0)
    ek = mlkem.key_from_seed(seed).public_key().public_bytes_raw()
    ct, ss = mlkem.encapsulate(ek, m)
    generation, h = shaken["generation"], shaken["handshake_hash"]
    made = sl1.ratchet(suite, psk, generation, h, ek, ct, ss)
    return {
        "seed": seed,
        "m": m,
        "ek": ek,
        "ct": ct,
        "ss": ss,
        "hash_ek": hashed(suite, ek),
        "hash_ct": hashed(suite, ct),
        "said": made.said,
        "psk": psk,
        "next_psk": made.psk,
        "confirmation_key": kdf(suite, ss, b"SL1 ratchet confirmation" + made.said, psk),
        "confirmation": made.confirmation,
        "slot_check": sl1.slot_check(suite, made.psk),
    }


def paired(suite):
    """A whole pairing; the states of its Noise are after each token, "payload" and "s" too."""
    role, secret = "supervisor", pattern(0x00, 16)
    ground_s, drone_s, ground_e, drone_e = map(pattern, (0x40, 0x50, 0x61, 0x81))
    rands, ids = (pattern(0x33), pattern(0x44)), (pattern(0x00, 16), pattern(0x10, 16))
    seed, m = pattern(0xC1, 64), pattern(0xE1)
    ek = mlkem.key_from_seed(seed).public_key().public_bytes_raw()
    ct, ss = mlkem.encapsulate(ek, m)
    noise = pairing.Handshake(suite, role, secret)
    hello = pairing.hello(noise, public(ground_e))
    shared = {
        "ee": dh(drone_e, public(ground_e)),
        "es": dh(drone_s, public(ground_e)),
        "se": dh(drone_e, public(ground_s)),
    }
    reply = pairing.reply(noise, public(drone_e), shared["ee"], public(drone_s), shared["es"])
    inner_offer = pairing.offer_payload(suite, ids[1], rands[0], ek, b"station-a")
    offer = pairing.offer(noise, public(ground_s), shared["se"], inner_offer)
    up, down = noise.split()
    inner_answer = pairing.answer_payload(ids[0], rands[1], ct, b"tsubame-1")
    k_pair = pairing.secret(suite, noise.h, ss, rands, (ek, ct), ids)
    said = {end: pairing.yes(suite, k_pair, end) for end in ("ground", "drone")}
    return {
        "token": pairing.token(suite, role, secret),
        "token_secret": secret,
        "role": role,
        "psk": noise.psk,
        "k_hello": noise.k_hello,
        "prologue": noise.prologue,
        "ground_private": ground_s,
        "drone_private": drone_s,
        "ground_ephemeral_private": ground_e,
        "drone_ephemeral_private": drone_e,
        "dh": shared,
        "rand_gcs": rands[0],
        "rand_drone": rands[1],
        "drone_id": ids[0],
        "gcs_id": ids[1],
        "ground_name": "station-a",
        "drone_name": "tsubame-1",
        "seed": seed,
        "m": m,
        "ct": ct,
        "ss": ss,
        "after": noise.after,
        "offer_payload": inner_offer,
        "answer_payload": inner_answer,
        "key_up": up,
        "key_down": down,
        "handshake_hash": noise.h,
        "from_ground": [
            hello,
            offer,
            pairing.transport(suite, up, 0, pairing.REVEAL, rands[0]),
            pairing.transport(suite, up, 1, pairing.YES, said["ground"]),
        ],
        "from_drone": [
            reply,
            pairing.transport(suite, down, 0, pairing.ANSWER, inner_answer),
            pairing.transport(suite, down, 1, pairing.YES, said["drone"]),
            pairing.transport(suite, down, 2, pairing.SAVED, b""),
        ],
        "no_from_ground_after_reveal": pairing.transport(suite, up, 1, pairing.NO, b""),
        "hello_on_the_line": pairing.framed(hello),
        "K": k_pair,
        "code": pairing.code(suite, k_pair),
        "made": sl1.sub_keys(suite, k_pair),
    }


def revoked():
    """ML-DSA signs with fresh randomness, so its signature is not here."""
    seeds = pattern(0x11), pattern(0x77)
    private = revocation.keys(*seeds)
    authority = revocation.public(private)
    entries = {pattern(0x20, 16): 7, pattern(0x10, 16): 0x01020304}
    body = revocation.body(0x01020304, entries)
    message = revocation.message(authority, body)
    return {
        "ed25519_seed": seeds[0],
        "mldsa65_seed": seeds[1],
        "authority": authority,
        "serial": 0x01020304,
        "entries": {gcs_id.hex(): at for gcs_id, at in entries.items()},
        "body": body,
        "message": message,
        "ed25519": private[0].sign(message),
    }


def replay_window():
    accepted, steps = set(), []
    for counter in (0, 0, 3, 1, 3, 130, 3, 2, 4, 130, 129, 300, 173, 172, 299, 173, 1 << 22, 300):
        is_taken = sl1.replay_allows(accepted, counter)
        accepted |= {counter} if is_taken else set()
        steps.append([counter, is_taken])
    return steps


def age_bounds():
    sent = [(sl1.NO_ACK, 10.0), (0, 11.0), (1, 11.5), (2, 14.0)]
    asked = [(sl1.NO_ACK, 10.5), (0, 11.25), (0, 14.0), (2, 14.0), (1, 15.0), (3, 15.0)]
    return {
        "sent": sent,
        "bounds": [
            {"ack": ack, "now": now, "bound": sl1.age_bound(sent, ack, now)} for ack, now in asked
        ],
    }


def fragments():
    return {"frame": LONG, "id": 0, "records": sl1.fragments(0, LONG)}


def cobs():
    edges = (b"\0", b"\0\0", b"\1", b"\0\1", b"\1\0", pattern(1, 3) + b"\0" + pattern(4, 2))
    longest = (pattern(1, 240), bytes(240), pattern(0, 240), pattern(17, 240))
    return [{"data": data, "encoded": sl1.cobs(data)} for data in edges + longest]


def answers(suite):
    k = pattern(0x20)
    keys = sl1.sub_keys(suite, k)
    pair = {
        "drone_id": pattern(0x00, 16),
        "gcs_id": pattern(0x10, 16),
        "ground_private": pattern(0x40),
        "ground_public": public(pattern(0x40)),
        "drone_private": pattern(0x50),
        "drone_public": public(pattern(0x50)),
        "K": k,
        "k_mac_i": keys["k_mac_i"],
        "k_mac_r": keys["k_mac_r"],
        "psk_0": keys["psk"],
    }
    slots = pattern(0x90), pattern(0xB0)
    shaken = handshake(suite, pair, slots)
    return {
        "number": suite.number,
        "pair": pair,
        "slots": {"psk_2": slots[0], "psk_3": slots[1]},
        "handshake": shaken,
        "frames": frames(suite, shaken),
        "records": records(suite),
        "transfer": transfer(),
        "ratchet": ratchet(suite, slots[0], shaken),
        "pairing": paired(suite),
    }


def hexed(value):
    """The same in what JSON has."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: hexed(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [hexed(part) for part in value]
    return value


def text():
    everything = {
        "about": ABOUT,
        "suites": {suite.name: answers(suite) for suite in SUITES},
        "replay_window": replay_window(),
        "age_bounds": age_bounds(),
        "fragments": fragments(),
        "cobs": cobs(),
        "revocation": revoked(),
        "trajectory": trajectory.example(),
    }
    return json.dumps(hexed(everything), indent=1) + "\n"
