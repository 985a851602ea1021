"""What SL1 says byte for byte, as formulas without state; numbers: sections of docs/protocol.md."""

from typing import NamedTuple

from tests.reference.formulas import hashed, kdf, mac, noise_hkdf, seal, unseal

STATUS, FRAGMENT, AUTHORITY, CHALLENGE, CONFIRM, CHUNK, CHUNK_ACK = 1, 3, 16, 17, 18, 32, 33
MAVLINK = 0xFD
NO_ACK = 0xFFFFFF
BUCKETS = (96, 160, 240, 480, 960, 1200)
COUNTERS = 1 << 23
WINDOW = 128  # counters, the highest among them
EK, CT = 1, 2  # kinds of blob


class Bad(Exception):
    """A peer's bytes are not what the specification allows."""


def need(condition, why):
    if not condition:
        raise Bad(why)


def u(number, size):
    return number.to_bytes(size, "big")


# --- 2. What a pair shares -----------------------------------------------------------------------


def sub_keys(suite, k):
    """The names of section 2 for what follows from K."""
    return {
        "k_mac_i": kdf(suite, k, b"SL1 mac1 initiator"),
        "k_mac_r": kdf(suite, k, b"SL1 mac1 responder"),
        "psk": kdf(suite, k, b"SL1 psk 0"),
    }


# --- 3. Handshake: Noise_KKpsk0, written out -----------------------------------------------------


class Symmetric(NamedTuple):
    """Noise's SymmetricState; the nonce is always 0 here, for every payload follows a MixKey."""

    h: bytes
    ck: bytes
    k: bytes


def prologue(suite, drone_id, gcs_id, header):
    return b"SL1" + u(suite.number, 1) + drone_id + gcs_id + header


def before_messages(suite, prologue_, initiator_s, responder_s):
    name = b"Noise_KKpsk0_25519_" + suite.noise.encode()
    ck = name.ljust(32, b"\0") if len(name) <= 32 else hashed(suite, name)
    h = hashed(suite, ck + prologue_)
    h = hashed(suite, h + initiator_s)  # -> s
    h = hashed(suite, h + responder_s)  # <- s
    return Symmetric(h, ck, b"")


def mix_psk(suite, s, psk):
    ck, temp_h, k = noise_hkdf(suite, s.ck, psk, 3)
    return Symmetric(hashed(suite, s.h + temp_h), ck, k)


def mix_e(suite, s, e):
    """Where there is a PSK an ephemeral is mixed into the key too (Noise, section 9.2)."""
    ck, k = noise_hkdf(suite, s.ck, e, 2)
    return Symmetric(hashed(suite, s.h + e), ck, k)


def mix_dh(suite, s, shared):
    ck, k = noise_hkdf(suite, s.ck, shared, 2)
    return Symmetric(s.h, ck, k)


def mix_sealed(suite, s, sealed):
    return s._replace(h=hashed(suite, s.h + sealed))


def message_1(suite, s, psk, e, es, ss):
    """The states after psk, e, es, ss: `es` and `ss` are the Diffie-Hellman results."""
    after_psk = mix_psk(suite, s, psk)
    after_e = mix_e(suite, after_psk, e)
    after_es = mix_dh(suite, after_e, es)
    return after_psk, after_e, after_es, mix_dh(suite, after_es, ss)


def message_2(suite, s, e, ee, se):
    """The states after e, ee, se."""
    after_e = mix_e(suite, s, e)
    after_ee = mix_dh(suite, after_e, ee)
    return after_e, after_ee, mix_dh(suite, after_ee, se)


def split(suite, s):
    """(ground to drone, drone to ground)."""
    return tuple(noise_hkdf(suite, s.ck, b"", 2))


def hs1_header(suite, generation, index):
    return bytes([1, suite.number, generation, index])


def hs2_header(suite, ground_index, drone_index):
    return bytes([2, suite.number, ground_index, drone_index])


def hs1_payload(boots):
    return u(0, 4) + u(boots, 4)


class HS2Payload(NamedTuple):
    boots: int
    epoch: int
    holds: int
    index: int
    slot_check: int
    log_head: bytes

    def encoded(self):
        head = u(self.boots, 4) + u(self.epoch, 4) + bytes([self.holds, self.index])
        return head + u(self.slot_check, 2) + self.log_head


def parse_hs2_payload(data):
    number = int.from_bytes
    head = number(data[0:4], "big"), number(data[4:8], "big"), data[8], data[9]
    return HS2Payload(*head, number(data[10:12], "big"), data[12:16])


def slot_check(suite, psk):
    if psk is None:
        return 0
    return int.from_bytes(kdf(suite, psk, b"SL1 slot")[:2], "big") | 1


def with_mac(suite, key, message):
    return message + mac(suite, key, message)


# --- 4. Data frames and records ------------------------------------------------------------------


def frame_header(index, counter):
    return bytes([0x80 | index]) + u(counter, 3)


def sealed_frame(suite, key, index, counter, inner):
    header = frame_header(index, counter)
    return header + seal(suite, key, counter, inner, header)


def opened_frame(suite, key, datagram):
    counter = int.from_bytes(datagram[1:4], "big")
    return counter, unseal(suite, key, counter, datagram[4:], datagram[:4])


def inner_up(ack, epoch, records):
    return b"\x01" + u(ack, 3) + u(epoch % 256, 1) + records


def inner_down(records):
    return b"\x01" + records


def padded(inner):
    """Inner bytes with zeros, so that the datagram (20 more) has the size of a bucket."""
    size = next(bucket for bucket in BUCKETS if bucket >= len(inner) + 20)
    return inner.ljust(size - 20, b"\0")


def record(kind, value):
    return bytes([kind, len(value)]) + value


def parse_records(data):
    """Pairs (type, value); a raw MAVLink frame is (0xFD, frame)."""
    found = []
    while data:
        if data[0] == 0:
            need(not any(data), "padding that is not zero")
            break
        if data[0] == MAVLINK:
            need(len(data) >= 12, "no whole frame")
            size = 12 + data[1] + 13 * (data[2] & 1)
            need(len(data) >= size, "no whole frame")
            found.append((MAVLINK, data[:size]))
        else:
            need(data[0] < 0x80 and len(data) >= 2, "no record")
            size = 2 + data[1]
            need(len(data) >= size, "no whole record")
            found.append((data[0], data[2:size]))
        data = data[size:]
    return found


def status(ack, epoch, holds):
    return record(STATUS, u(ack, 3) + u(epoch, 4) + u(holds, 1))


def authority_request(verb, number, station=bytes(16)):
    return record(AUTHORITY, bytes([verb, number]) + station)


def authority_state(epoch, holder, flags, number, answer, serial):
    value = u(epoch, 4) + holder + bytes([flags, number, answer]) + u(serial, 4)
    return record(AUTHORITY, value)


def challenge(nonce, operation):
    need(1 <= len(operation) <= 190, "operation")
    return record(CHALLENGE, nonce + operation)


def confirm(suite, nonce, operation):
    return record(CONFIRM, nonce + hashed(suite, operation)[:16])


def chunk(kind, transfer, index, count, data):
    return record(CHUNK, bytes([kind, transfer, index, count]) + data)


def chunk_ack(kind, transfer, count, received):
    bits = bytearray(-(-count // 8))
    for index in received:
        bits[index // 8] |= 1 << (index % 8)
    return record(CHUNK_ACK, bytes([kind, transfer, count]) + bytes(bits))


def chunks(kind, transfer, blob):
    """The records that carry a blob."""
    parts = [blob[at : at + 64] for at in range(0, len(blob), 64)]
    return [chunk(kind, transfer, i, len(parts), part) for i, part in enumerate(parts)]


# --- 5. Freshness: everything remembered, everything searched ------------------------------------


def replay_allows(accepted, counter):
    """`accepted` is the set of all counters taken so far."""
    return counter not in accepted and all(other - counter < WINDOW for other in accepted)


def age_bound(sent, ack, now):
    """`sent` is every (counter, time) of this session's downlink, HS2 as NO_ACK."""
    return min((now - at for counter, at in sent if counter == ack), default=None)


# --- 7. The ratchet ------------------------------------------------------------------------------


class Ratchet(NamedTuple):
    said: bytes
    psk: bytes
    confirmation: bytes


def ratchet(suite, psk, generation, h, ek, ct, ss):
    said = hashed(suite, ek) + hashed(suite, ct) + h + u((generation + 1) % 256, 1)
    key = kdf(suite, ss, b"SL1 ratchet confirmation" + said, psk)
    after = kdf(suite, ss, b"SL1 ratchet" + said, psk)
    return Ratchet(said, after, mac(suite, key, b"SL1 ratchet"))


# --- 8. Serial radio -----------------------------------------------------------------------------


def fragments(frame_id, frame):
    parts = [frame[at : at + 196] for at in range(0, len(frame), 196)]
    last = len(parts) - 1
    return [
        record(FRAGMENT, bytes([frame_id, i | (0x80 if i == last else 0)]) + part)
        for i, part in enumerate(parts)
    ]


def cobs(data):
    """One code byte before every run of up to 254 bytes that are not zero."""
    out, groups = b"", data.split(b"\0")
    for number, group in enumerate(groups, start=1):
        while len(group) >= 254:
            out, group = out + b"\xff" + group[:254], group[254:]
            if not group and number == len(groups):
                return out
        out += bytes([len(group) + 1]) + group
    return out


def uncobs(data):
    out = b""
    while data:
        need(0 < data[0] <= len(data), "cobs")
        run, data_after = data[1 : data[0]], data[data[0] :]
        out += run + (b"\0" if data[0] < 255 and data_after else b"")
        data = data_after
    return out
