"""The vault: what it seals opens as the same file of the same vault only; bounds; wrong or damaged.

Mutants these tests killed: name left out of the associated data; role left out; `mac` not compared,
or not covering `contents`; no bound on memory; headers in other encodings accepted; the vault's id
not compared; no Unicode normalisation; `with_secret` drawing a new key.
"""

import base64
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from crypto.vault import (
    FILE_OVERHEAD,
    Argon2idCost,
    Contents,
    KeyFile,
    Passphrase,
    Vault,
    VaultError,
    WrongSecretError,
    parse_header,
)

CHEAP = Argon2idCost(memory_kib=64, passes=1, lanes=1)
SECRETS = [Passphrase("correct horse battery staple"), KeyFile(bytes(range(32)))]


@pytest.fixture(params=SECRETS, ids=lambda secret: type(secret).__name__)
def secret(request):
    return request.param


@pytest.fixture
def vault(secret, random_bytes):
    return Vault.create(secret, random_bytes, CHEAP)


def reopened(vault, secret):
    return Vault.unlock(parse_header(vault.header.encode()), secret)


@pytest.mark.parametrize("size", [0, 1, 31, 4096])
def test_what_is_sealed_opens_again(vault, secret, random_bytes, size):
    data = random_bytes(size)
    sealed = vault.seal("pair", "tsubame-1", data, random_bytes)
    assert len(sealed) == size + FILE_OVERHEAD
    assert reopened(vault, secret).open("pair", "tsubame-1", sealed) == data
    assert sealed != vault.seal("pair", "tsubame-1", data, random_bytes)


def test_every_flipped_bit_and_cut_of_a_file_is_noticed(vault, random_bytes):
    sealed = vault.seal("pair", "a", b"keys", random_bytes)
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(VaultError):
            vault.open("pair", "a", bytes(changed))
    for size in range(len(sealed)):
        with pytest.raises(VaultError):
            vault.open("pair", "a", sealed[:size])


@pytest.mark.parametrize(
    ("role", "name"), [("pair", "b"), ("identity", "a"), ("", "pair\0a"), ("pai", "r\0a")]
)
def test_a_file_does_not_open_as_another(vault, random_bytes, role, name):
    sealed = vault.seal("pair", "a", b"keys", random_bytes)
    with pytest.raises(VaultError, match="another file"):
        vault.open(role, name, sealed)


def test_a_file_of_another_vault_is_named_so(vault, secret, random_bytes):
    other = Vault.create(secret, random_bytes, CHEAP)
    with pytest.raises(VaultError, match="another vault"):
        vault.open("pair", "a", other.seal("pair", "a", b"keys", random_bytes))


@pytest.mark.parametrize(
    "wrong",
    [Passphrase(""), Passphrase("Correct horse battery staple"), KeyFile(bytes(32))],
    ids=str,
)
def test_a_wrong_secret_is_told_from_damage(vault, wrong):
    with pytest.raises(WrongSecretError):
        Vault.unlock(parse_header(vault.header.encode()), wrong)


def test_every_flipped_bit_of_a_header_is_damage_and_no_wrong_secret(vault):
    encoded = vault.header.encode()
    for bit in range(len(encoded) * 8):
        changed = bytearray(encoded)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(VaultError):
            parse_header(bytes(changed))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"contents": "mixed"}, VaultError),  # would make the owner read plain files
        ({"vault_id": "AAAAAAAAAAA="}, WrongSecretError),
        ({"mac": base64.b64encode(bytes(32)).decode()}, VaultError),
        ({"mac": ""}, VaultError),
    ],
)
def test_a_header_changed_with_its_check_is_not_believed(vault, secret, change, error):
    fields = json.loads(vault.with_contents(Contents.SEALED).header.encode()) | change
    forged = json.dumps(fields | {"check": ""}, separators=(",", ":")).encode()
    fields["check"] = base64.b64encode(hashlib.sha256(forged).digest()).decode()
    header = parse_header(json.dumps(fields, separators=(",", ":")).encode())
    with pytest.raises(error):
        Vault.unlock(header, secret)


@pytest.mark.parametrize(
    ("cost", "says"),
    [
        ({"memory_kib": 2**32 - 1}, "memory_kib = 4294967295, allowed: 8 to 262144"),
        ({"memory_kib": 262145}, "memory_kib = 262145"),
        ({"memory_kib": 31, "lanes": 4}, "memory_kib = 31, allowed: 32"),
        ({"passes": 17}, "passes = 17"),
        ({"passes": 0}, "passes = 0"),
        ({"lanes": 17, "memory_kib": 1024}, "lanes = 17"),
        ({"lanes": 0}, "lanes = 0"),
        ({"lanes": -1}, "lanes = -1"),
    ],
)
def test_a_header_cannot_ask_for_too_much(random_bytes, cost, says):
    vault = Vault.create(SECRETS[0], random_bytes, CHEAP)
    fields = json.loads(vault.header.encode())
    fields["cost"] |= cost
    with pytest.raises(VaultError, match=says):
        parse_header(json.dumps(fields).encode())


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"[", bytes(100), b'{"version":1}'])
def test_what_is_no_header_is_damage(data):
    with pytest.raises(VaultError):
        parse_header(data)


def test_another_version_says_so(vault):
    fields = json.loads(vault.header.encode()) | {"version": 9}
    with pytest.raises(VaultError, match="version 9, this is version 1"):
        parse_header(json.dumps(fields).encode())


def test_a_new_secret_opens_what_was_sealed_before_and_the_old_one_no_more(
    vault, secret, random_bytes
):
    sealed = vault.seal("pair", "a", b"keys", random_bytes)
    for new in (Passphrase("another one"), KeyFile(b"k" * 40)):
        changed = vault.with_secret(new, random_bytes, CHEAP)
        assert reopened(changed, new).open("pair", "a", sealed) == b"keys"
        with pytest.raises(WrongSecretError):
            reopened(changed, secret)


def test_a_passphrase_is_the_same_from_any_keyboard(random_bytes):
    composed, decomposed = "s\u00e9kisho \u304c", "se\u0301kisho \u304b\u3099"
    vault = Vault.create(Passphrase(composed), random_bytes, CHEAP)
    reopened(vault, Passphrase(decomposed))


@pytest.mark.parametrize("size", [0, 16, 31])
def test_a_short_key_file_is_refused(size):
    with pytest.raises(ValueError, match=f"{size} bytes, a key file has at least 32"):
        KeyFile(bytes(size))


def test_secrets_do_not_show():
    assert "horse" not in repr(SECRETS[0])
    assert "x01" not in repr(SECRETS[1])


def test_the_default_cost_is_the_second_recommendation_of_rfc_9106():
    assert Argon2idCost() == Argon2idCost(memory_kib=64 * 1024, passes=3, lanes=4)


def test_a_sealed_file_opens_with_the_documented_construction(random_bytes):
    """docs/key-storage.md, with HKDF from the standard library."""
    secret = KeyFile(random_bytes(32))
    vault = Vault.create(secret, random_bytes)
    sealed = vault.seal("pair", "tsubame-1", b"keys", random_bytes)
    header = {k: v for k, v in json.loads(vault.header.encode()).items() if k != "cost"}
    raw = {k: base64.b64decode(v) for k, v in header.items() if k not in ("version", "contents")}

    def hkdf(key, info, salt=bytes(32)):
        prk = hmac.digest(salt, key, "sha256")
        return hmac.digest(prk, info + b"\x01", "sha256")

    wrapping_key = hkdf(secret.key, b"SKV key file", raw["salt"])
    key = AESGCMSIV(wrapping_key).decrypt(raw["nonce"], raw["wrapped_key"], raw["vault_id"])
    binding = sealed[:12] + b"\0pair\0tsubame-1"
    cipher = AESGCMSIV(hkdf(key, b"SKV files"))
    assert sealed[:4] == b"SKV\x01"
    assert cipher.decrypt(sealed[12:24], sealed[24:], binding) == b"keys"
