"""The cryptographic primitives SL1 stands on: the only importer of `cryptography`.

Nothing here is ours but the names.
"""

from crypto.primitives.errors import (
    KEY_BYTES,
    AuthenticationError,
    RandomBytes,
)
from crypto.primitives.kem import (
    HPKE_OVERHEAD,
    ML_KEM_768,
    ML_KEM_1024,
    ML_KEM_SEED_BYTES,
    XWING_PUBLIC_BYTES,
    MlKem,
    MlKemKeyPair,
    XWingKeyPair,
    hpke_seal,
)
from crypto.primitives.signatures import (
    ED25519_PUBLIC_BYTES,
    ED25519_SIGNATURE_BYTES,
    MLDSA65_PUBLIC_BYTES,
    MLDSA65_SIGNATURE_BYTES,
    Ed25519,
    MlDsa65,
)
from crypto.primitives.symmetric import (
    AEADS,
    HASHES,
    MAC_BYTES,
    NONCE_BYTES,
    TAG_BYTES,
    Aead,
    InvalidTagError,
    argon2id,
    digest,
    equal,
    hkdf,
    hmac_digest,
    keyed_blake2s,
    misuse_resistant,
    prefixed_sha256,
)
from crypto.primitives.x25519 import (
    KeyPair,
)

__all__ = [
    "AEADS",
    "ED25519_PUBLIC_BYTES",
    "ED25519_SIGNATURE_BYTES",
    "HASHES",
    "HPKE_OVERHEAD",
    "KEY_BYTES",
    "MAC_BYTES",
    "MLDSA65_PUBLIC_BYTES",
    "MLDSA65_SIGNATURE_BYTES",
    "ML_KEM_768",
    "ML_KEM_1024",
    "ML_KEM_SEED_BYTES",
    "NONCE_BYTES",
    "TAG_BYTES",
    "XWING_PUBLIC_BYTES",
    "Aead",
    "AuthenticationError",
    "Ed25519",
    "InvalidTagError",
    "KeyPair",
    "MlDsa65",
    "MlKem",
    "MlKemKeyPair",
    "RandomBytes",
    "XWingKeyPair",
    "argon2id",
    "digest",
    "equal",
    "hkdf",
    "hmac_digest",
    "hpke_seal",
    "keyed_blake2s",
    "misuse_resistant",
    "prefixed_sha256",
]
