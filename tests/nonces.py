"""A witness inside every cipher: no key ever seals two messages under one nonce."""

from collections.abc import Iterator
from contextlib import contextmanager

from crypto.primitives import AEADS


@contextmanager
def recorded() -> Iterator[set[tuple[bytes, bytes]]]:
    """Replace the ciphers by ones that assert it; give the set of all (key, nonce) that sealed.

    Both ends of a test must be made within; a cipher says its key as `key`.
    """
    used: set[tuple[bytes, bytes]] = set()
    real = dict(AEADS)

    def witnessed(cipher):
        class Witnessed:
            def __init__(self, key: bytes) -> None:
                self.key = key
                self._aead = cipher(key)

            def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
                assert (self.key, nonce) not in used, "a nonce is used twice"
                used.add((self.key, nonce))
                return self._aead.encrypt(nonce, data, associated_data)

            def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
                return self._aead.decrypt(nonce, data, associated_data)

        return Witnessed

    AEADS.update({name: witnessed(cipher) for name, cipher in real.items()})
    try:
        yield used
    finally:
        AEADS.update(real)
