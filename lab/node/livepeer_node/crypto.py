# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three primitives a Web3 keystore needs and Python's library lacks: Keccak-256, AES-128-CTR, secp256k1.

Not constant-time: fit for the throw-away keys of a lab, for nothing else.
"""

from __future__ import annotations

_MASK = (1 << 64) - 1


def _round_constants():
    """The 24 constants of Keccak-f[1600], from their linear feedback shift register."""
    constants, state = [], 1
    for _round in range(24):
        constant = 0
        for j in range(7):
            if state & 1:
                constant |= 1 << ((1 << j) - 1)
            state = (state << 1) ^ (0x171 if state & 0x80 else 0)
        constants.append(constant)
    return constants


_ROUNDS = _round_constants()


def _rotate(value, bits):
    return ((value << bits) | (value >> (64 - bits))) & _MASK if bits else value


def _permute(lanes):
    for constant in _ROUNDS:
        columns = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        mixed = [columns[(x - 1) % 5] ^ _rotate(columns[(x + 1) % 5], 1) for x in range(5)]
        lanes = [lane ^ mixed[i % 5] for i, lane in enumerate(lanes)]
        x, y, current = 1, 0, lanes[1]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            bits = (step + 1) * (step + 2) // 2 % 64
            lanes[x + 5 * y], current = _rotate(current, bits), lanes[x + 5 * y]
        lanes = [
            lanes[i] ^ (~lanes[i - i % 5 + (i + 1) % 5] & _MASK & lanes[i - i % 5 + (i + 2) % 5]) for i in range(25)
        ]
        lanes[0] ^= constant
    return lanes


def keccak256(data):
    """The original Keccak padding (0x01), not that of SHA3-256."""
    rate = 136
    padded = bytearray(data) + b"\x01" + b"\x00" * (-(len(data) + 1) % rate)
    padded[-1] |= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), rate):
        for i in range(rate // 8):
            lanes[i] ^= int.from_bytes(padded[start + 8 * i : start + 8 * i + 8], "little")
        lanes = _permute(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _times_two(value):
    return (value << 1) ^ (0x11B if value & 0x80 else 0)


def _substitution_box():
    box, p, q = [0] * 256, 1, 1
    while True:
        p = p ^ _times_two(p)  # p runs through the field as powers of 3, q as powers of its inverse
        q ^= q << 1
        q ^= q << 2
        q ^= q << 4
        q &= 0xFF
        if q & 0x80:
            q ^= 0x09
        spread = q ^ (q << 1 | q >> 7) ^ (q << 2 | q >> 6) ^ (q << 3 | q >> 5) ^ (q << 4 | q >> 4)
        box[p] = (spread & 0xFF) ^ 0x63
        if p == 1:
            break
    box[0] = 0x63
    return box


_BOX = _substitution_box()


def _expand_key(key):
    words, constant = [list(key[i : i + 4]) for i in range(0, 16, 4)], 1
    for i in range(4, 44):
        word = list(words[-1])
        if i % 4 == 0:
            word = [_BOX[b] for b in word[1:] + word[:1]]
            word[0] ^= constant
            constant = _times_two(constant)
        words.append([a ^ b for a, b in zip(words[i - 4], word, strict=True)])
    return [sum(words[i : i + 4], []) for i in range(0, 44, 4)]


def _encrypt_block(keys, block):
    state = [a ^ b for a, b in zip(block, keys[0], strict=True)]
    for number, key in enumerate(keys[1:], 1):
        state = [_BOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if number < 10:
            mixed = []
            for c in range(0, 16, 4):
                column = state[c : c + 4]
                total = column[0] ^ column[1] ^ column[2] ^ column[3]
                mixed += [b ^ total ^ _times_two(b ^ column[(i + 1) % 4]) for i, b in enumerate(column)]
            state = mixed
        state = [a ^ b for a, b in zip(state, key, strict=True)]
    return bytes(state)


def aes128_ctr(key, counter, data):
    """Encrypts or decrypts: in counter mode these are one."""
    keys, number, out = _expand_key(key), int.from_bytes(counter, "big"), bytearray()
    for start in range(0, len(data), 16):
        pad = _encrypt_block(keys, (number % (1 << 128)).to_bytes(16, "big"))
        out += bytes(a ^ b for a, b in zip(data[start : start + 16], pad, strict=False))
        number += 1
    return bytes(out)


_P = 2**256 - 2**32 - 977
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


def _add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % _P == 0:
        return None
    slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, _P) if a == b else (b[1] - a[1]) * pow(b[0] - a[0], -1, _P)
    x = (slope * slope - a[0] - b[0]) % _P
    return x, (slope * (a[0] - x) - a[1]) % _P


def public_key(private):
    """The uncompressed point (64 bytes) of a private key given as an integer."""
    result, addend = None, _G
    while private:
        if private & 1:
            result = _add(result, addend)
        addend = _add(addend, addend)
        private >>= 1
    return result[0].to_bytes(32, "big") + result[1].to_bytes(32, "big")


def address_of(private):
    """The 20 bytes of the account that a private key (32 bytes) opens."""
    return keccak256(public_key(int.from_bytes(private, "big")))[12:]


def checksum_address(raw):
    """EIP-55 spelling of 20 bytes, which is what go-ethereum's Address.Hex prints."""
    digits = raw.hex()
    digest = keccak256(digits.encode()).hex()
    return "0x" + "".join(c.upper() if int(h, 16) > 7 else c for c, h in zip(digits, digest, strict=False))
