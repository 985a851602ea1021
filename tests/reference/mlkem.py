"""ML-KEM-1024 encapsulation with chosen randomness (FIPS 203): a ciphertext can be an answer.

Keys and decapsulation are `cryptography`'s: the two check each other.
"""

import hashlib

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey

Q, K, DU, DV = 3329, 4, 11, 5


def key_from_seed(seed):
    return MLKEM1024PrivateKey.from_seed_bytes(seed)


def encapsulate(ek, m):
    """Return (ciphertext, shared secret) for the 32 random bytes m: algorithms 14 and 17."""
    secret_and_coins = hashlib.sha3_512(m + hashlib.sha3_256(ek).digest()).digest()
    secret, coins = secret_and_coins[:32], secret_and_coins[32:]
    t = [unpack(ek[384 * i : 384 * (i + 1)], 12) for i in range(K)]
    rho = ek[384 * K :]
    y = [ntt(noise(coins, i)) for i in range(K)]
    e1 = [noise(coins, K + i) for i in range(K)]
    e2 = noise(coins, 2 * K)
    ciphertext = b""
    for i in range(K):
        column = [sample(rho + bytes([i, j])) for j in range(K)]  # row i of A transposed
        ciphertext += pack(compress(add(inverse_ntt(dot(column, y)), e1[i]), DU), DU)
    message = [bit * ((Q + 1) // 2) for bit in unpack(m, 1)]
    v = add(add(inverse_ntt(dot(t, y)), e2), message)
    return ciphertext + pack(compress(v, DV), DV), secret


def unpack(data, bits):
    number = int.from_bytes(data, "little")
    return [number >> (bits * i) & ((1 << bits) - 1) for i in range(256)]


def pack(values, bits):
    return sum(v << (bits * i) for i, v in enumerate(values)).to_bytes(32 * bits, "little")


def compress(values, bits):
    return [((x << bits) + Q // 2) // Q % (1 << bits) for x in values]


def add(a, b):
    return [(x + y) % Q for x, y in zip(a, b, strict=True)]


def noise(coins, number):
    """Centred binomial, eta 2."""
    bits = unpack(hashlib.shake_256(coins + bytes([number])).digest(128), 4)
    return [((b & 1) + (b >> 1 & 1) - (b >> 2 & 1) - (b >> 3)) % Q for b in bits]


def sample(seed):
    """Uniform, by rejection: 12 bits at a time. 2016 bytes are always enough in practice."""
    stream = int.from_bytes(hashlib.shake_128(seed).digest(2016), "little")
    values = [stream >> (12 * i) & 0xFFF for i in range(1344)]
    return [v for v in values if v < Q][:256]


def zeta(i):
    return pow(17, int(f"{i:07b}"[::-1], 2), Q)


def ntt(f):
    f, i = list(f), 1
    for length in (128, 64, 32, 16, 8, 4, 2):
        for start in range(0, 256, 2 * length):
            for j in range(start, start + length):
                t = zeta(i) * f[j + length] % Q
                f[j], f[j + length] = (f[j] + t) % Q, (f[j] - t) % Q
            i += 1
    return f


def inverse_ntt(f):
    f, i = list(f), 127
    for length in (2, 4, 8, 16, 32, 64, 128):
        for start in range(0, 256, 2 * length):
            for j in range(start, start + length):
                t = f[j]
                f[j] = (t + f[j + length]) % Q
                f[j + length] = zeta(i) * (f[j + length] - t) % Q
            i -= 1
    return [x * 3303 % Q for x in f]  # 128^-1


def dot(rows, columns):
    """Sum of products in the NTT domain: pairs modulo X^2 - 17^(2 bitreverse(i) + 1)."""
    total = [0] * 256
    for a, b in zip(rows, columns, strict=True):
        for i in range(128):
            gamma = zeta(i) ** 2 * 17 % Q
            a0, a1, b0, b1 = a[2 * i], a[2 * i + 1], b[2 * i], b[2 * i + 1]
            total[2 * i] = (total[2 * i] + a0 * b0 + a1 * b1 * gamma) % Q
            total[2 * i + 1] = (total[2 * i + 1] + a0 * b1 + a1 * b0) % Q
    return total
