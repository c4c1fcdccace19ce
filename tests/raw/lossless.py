"""Lossless JPEG as the standard writes it down (ITU-T T.81, annex H), slowly: for tests alone."""

import struct

import numpy as np

FLAT = dict.fromkeys(range(17), 5)  # bits of the code of each size of a difference
STEEP = {size: min(size + 1, 16) for size in range(17)}  # codes of up to 16 bits
Lengths = dict[int, int]


def predicted(p, y, x, predictor, precision):
    """Of component plane p (H, W), from the numbers before (y, x)."""
    if y == 0 and x == 0:
        return 1 << (precision - 1)
    if y == 0:
        return p[y, x - 1]
    if x == 0:
        return p[y - 1, x]
    a, b, c = p[y, x - 1], p[y - 1, x], p[y - 1, x - 1]
    return [a, b, c, a + b - c, a + ((b - c) >> 1), b + ((a - c) >> 1), (a + b) >> 1][predictor - 1]


def codes(lengths):
    """Canonical Huffman codes: size of a difference to (code, bits)."""
    made, code, last = {}, 0, 0
    for size, bits in sorted(lengths.items(), key=lambda item: (item[1], item[0])):
        code <<= bits - last
        made[size], last = (code, bits), bits
        code += 1
    return made


def encode(values, predictor=1, precision=16, lengths=None, restart=0):
    """(rows, columns, components) uint16 to bytes; all components have one table."""
    rows, columns, count = values.shape
    table = codes(lengths or FLAT)
    numbers, text = values.astype(np.int64), []
    for y in range(rows):
        for x in range(columns):
            for c in range(count):
                guess = predicted(numbers[..., c], y, x, predictor, precision)
                text.append(bits_of(int(numbers[y, x, c] - guess), table))
    body = "".join(text)
    body += "1" * (-len(body) % 8)
    scan = int(body, 2).to_bytes(len(body) // 8, "big").replace(b"\xff", b"\xff\0")
    parts = [
        b"\xff\xd8", segment(0xC4, b"\0" + huffman(table)),
        segment(0xC3, struct.pack(">BHHB", precision, rows, columns, count)
                + b"".join(bytes([c, 0x11, 0]) for c in range(count))),
    ]  # fmt: skip
    parts += [segment(0xDD, struct.pack(">H", restart))] if restart else []
    chosen = b"".join(bytes([c, 0]) for c in range(count))
    parts += [segment(0xDA, bytes([count]) + chosen + bytes([predictor, 0, 0])), scan, b"\xff\xd9"]
    return b"".join(parts)


def bits_of(difference, table):
    difference = (difference + 32768) % 65536 - 32768  # modulo 2^16
    if difference == -32768:
        code, bits = table[16]
        return f"{code:0{bits}b}"
    size = abs(difference).bit_length()
    code, bits = table[size]
    low = difference if difference >= 0 else difference + (1 << size) - 1
    return f"{code:0{bits}b}" + (f"{low:0{size}b}" if size else "")


def huffman(table):
    order = sorted(table, key=lambda size: (table[size][1], size))
    counts = [sum(bits == k for _, bits in table.values()) for k in range(1, 17)]
    return bytes(counts) + bytes(order)


def segment(marker, body):
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
