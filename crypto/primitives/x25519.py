"""X25519 (RFC 7748)."""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from crypto.primitives.errors import AuthenticationError


class KeyPair:
    """An X25519 private key and its public key."""

    __slots__ = ("_private", "private", "public")

    def __init__(self, private: bytes) -> None:
        self.private = private
        self._private = X25519PrivateKey.from_private_bytes(private)
        self.public = self._private.public_key().public_bytes_raw()

    def exchange(self, public: bytes) -> bytes:
        """Return the X25519 shared secret.

        Raises:
            AuthenticationError: The point is of low order (RFC 7748 §6.1, all-zero output).
        """
        try:
            return self._private.exchange(X25519PublicKey.from_public_bytes(public))
        except ValueError as error:
            raise AuthenticationError("X25519 public key refused") from error
