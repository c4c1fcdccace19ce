"""Lossless JPEG (ITU-T T.81, annex H), as DNG has it: a tile's numbers, compiled.

Strict: what is not as the standard has it is nothing, and LibRaw is to decide about it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isptools.compiled import kernel, part

U8 = NDArray[np.uint8]
U16 = NDArray[np.uint16]
I32 = NDArray[np.int32]
SOI, SOF3, DHT, SOS, DRI, APP0 = 0xD8, 0xC3, 0xC4, 0xDA, 0xDD, 0xE0
SHORT = 11  # bits of a code that are looked up at once: two such numbers fit into 57 bits
BLOCK = 64  # bytes that are looked at together
PADDING = 24  # zeros behind the bits, so that eight bytes may be read ahead


@dataclass(frozen=True, slots=True)
class Head:
    """What stands before a tile's bits."""

    precision: int  # bits of a number
    shape: tuple[int, int, int]  # rows, columns, components
    predictor: int  # 1 to 7
    tables: tuple[bytes, ...]  # of each component: 16 counts of codes, then their symbols
    start: int  # of the bits


def head(data: U8) -> Head | None:
    """None for anything but one scan of all components without restarts."""
    if len(data) < 2 or data[0] != 0xFF or data[1] != SOI:
        return None
    at, frame = 2, b""
    tables: dict[int, bytes] = {}
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, size = int(data[at + 1]), int(data[at + 2]) << 8 | int(data[at + 3])
        body = data[at + 4 : at + 2 + size].tobytes()
        at += 2 + size
        if size < 2 or at > len(data) or marker == DRI:
            return None
        if marker == SOF3 and not frame:
            frame = body
        elif marker == DHT and not _add_tables(body, tables):
            return None
        elif marker == SOS:
            return _scan(frame, tables, body, at)
        elif marker not in {SOF3, DHT} and marker < APP0:
            return None  # neither application data nor a comment
    return None


def _add_tables(body: bytes, tables: dict[int, bytes]) -> bool:
    while body:
        count = sum(body[1:17])
        if len(body) < 17 + count or body[0] > 3 or not count:
            return False
        tables[body[0]] = body[1 : 17 + count]
        body = body[17 + count :]
    return True


def _scan(frame: bytes, tables: dict[int, bytes], scan: bytes, start: int) -> Head | None:
    """Components in the frame's order, none subsampled, no point transform."""
    if len(frame) < 6 or len(frame) != 6 + 3 * frame[5] or not scan:
        return None
    count = scan[0]
    if count != frame[5] or not 1 <= count <= 4 or len(scan) != 4 + 2 * count:
        return None
    names, chosen = scan[1 : 1 + 2 * count : 2], scan[2 : 2 + 2 * count : 2]
    predictor, last = scan[1 + 2 * count], scan[3 + 2 * count]
    plain = names == frame[6::3] and set(frame[7::3]) == {0x11} and not last
    found = tuple(tables.get(one >> 4, b"") for one in chosen)
    height, width = frame[1] << 8 | frame[2], frame[3] << 8 | frame[4]
    sound = 2 <= frame[0] <= 16 and 1 <= predictor <= 7 and height and width
    if not plain or not sound or not all(found):
        return None
    return Head(frame[0], (height, width, count), predictor, found, start)


def decode(data: U8, told: Head, out: U16) -> bool:
    """Fill `out`, (rows, columns * components), component beside component.

    False where the bits end early, hold a code that is none, or make a number of more than
    `precision` bits.
    """
    ahead = PADDING + 4 * out.shape[1]  # a row that the bits end in is read to its end
    bits = np.zeros(len(data) - told.start + ahead, np.uint8)
    size = _unstuffed(data[told.start :], bits)
    bits[size:] = 0
    made = [_table(one) for one in told.tables]
    if any(one is None for one in made):
        return False
    short, limits, symbols = (
        np.stack(part) for part in zip(*(one for one in made if one), strict=True)
    )
    return bool(_decode(bits, size, short, limits, symbols, told.predictor, told.precision, out))


def compile_loops() -> None:
    """Have the machine code on disk, before decoders start and files are timed."""
    one = Head(8, (1, 2, 1), 1, (bytes([1, *[0] * 16]),), 0)  # one code, of one bit, for no change
    decode(np.frombuffer(bytes(8), np.uint8), one, np.zeros((1, 2), np.uint16))


def _table(told: bytes) -> tuple[I32, I32, I32] | None:
    """Of codes up to SHORT bits: bits of code and number together, and of the number << 8.

    Then, for each length, the first code that is longer (as 16 bits) and where its symbols start;
    then the symbols. None where a table holds more codes than there are, or a number of more than
    16 bits.
    """
    short, limits, symbols = (
        np.zeros(1 << SHORT, np.int32), np.zeros((17, 2), np.int32), np.zeros(256, np.int32),
    )  # fmt: skip
    code = place = 0
    symbols[: len(told) - 16] = list(told[16:])
    if max(told[16:]) > 16:
        return None
    for length in range(1, 17):
        limits[length, 1] = place - code
        for _ in range(told[length - 1]):
            if code >= 1 << length:
                return None
            if length <= SHORT:
                spread, number = SHORT - length, told[16 + place]
                number = 0 if number == 16 else number  # no bits stand behind it
                if told[16 + place] < 16:
                    short[code << spread : (code + 1) << spread] = length + number | number << 8
            code, place = code + 1, place + 1
        limits[length, 0] = code << (16 - length)
        code <<= 1
    return short, limits, symbols


@kernel
def _unstuffed(data, bits):
    """The bytes up to the next marker without the zero behind each 255; how many there are."""
    count, i, size = 0, 0, len(data)
    while i < size:
        block = data[i : i + BLOCK]
        if len(block) == BLOCK and _is_plain(block):
            _copy(block, bits[count:])
            count, i = count + BLOCK, i + BLOCK
            continue
        end = min(i + BLOCK, size)
        while i < end:
            if data[i] == 0xFF:
                if i + 1 >= size or data[i + 1] != 0:
                    return count
                bits[count] = 0xFF
                i += 2
            else:
                bits[count] = data[i]
                i += 1
            count += 1
    return count


@part
def _is_plain(block):
    """Whether no byte of a block is 255."""
    found = np.uint8(0)
    for k in range(BLOCK):
        found |= np.uint8(block[k] == 0xFF)
    return found == 0


@part
def _copy(block, out):
    for k in range(BLOCK):
        out[k] = block[k]


@part
def _word(data, at):
    """Eight bytes, the first one upmost."""
    word = np.uint64(data[at]) << np.uint64(56)
    word |= np.uint64(data[at + np.uint64(1)]) << np.uint64(48)
    word |= np.uint64(data[at + np.uint64(2)]) << np.uint64(40)
    word |= np.uint64(data[at + np.uint64(3)]) << np.uint64(32)
    word |= np.uint64(data[at + np.uint64(4)]) << np.uint64(24)
    word |= np.uint64(data[at + np.uint64(5)]) << np.uint64(16)
    word |= np.uint64(data[at + np.uint64(6)]) << np.uint64(8)
    return word | np.uint64(data[at + np.uint64(7)])


@part
def _at(data, position):
    """Bits from a position on, the next one upmost: 57 or more, and the byte behind them."""
    at, skipped = position >> np.uint64(3), position & np.uint64(7)
    return _word(data, at) << skipped, np.uint64(64) - skipped, at + np.uint64(8)


@part
def _number(word, entry):
    """The difference of a short code: its bits as they are, or less 2^n - 1 below the half."""
    size = np.uint64(entry >> 8)
    word <<= np.uint64(entry & 255) - size
    value = np.int32((word >> np.uint64(1)) >> (np.uint64(63) - size))
    below = np.int32(word >> np.uint64(63)) - np.int32(1)
    return value + (below & (np.int32(1) - (np.int32(1) << np.int32(size))))


@kernel
def _long(word, limits, symbols):
    """The difference of any code and its bits; 0 bits for a code that is none."""
    code = np.int64(word >> np.uint64(48))
    for length in range(1, 17):
        if code < limits[length, 0]:
            size = symbols[limits[length, 1] + (code >> (16 - length))]
            if size == 16:
                return np.int32(-32768), length
            entry = np.int32(length + size | size << 8)
            return (_number(word, entry) if size else np.int32(0)), length + size
    return np.int32(0), 0


@kernel
def _differences(bits, position, short, limits, symbols, row):
    """A row of differences; the position behind it, 0 where a code is none."""
    count = len(short)
    pairs = len(row) if count in (1, 2) and len(row) % 2 == 0 else 0
    if pairs:
        position = _in_pairs(bits, position, short, limits, symbols, row)
    for x in range(pairs, len(row)):
        c = x % count
        row[x], used = _long(_at(bits, position)[0], limits[c], symbols[c])
        if used == 0:
            return np.uint64(0)
        position += np.uint64(used)
    return position


@part
def _in_pairs(bits, position, short, limits, symbols, row):
    """Two short codes at a time, from a word that is filled up while the next are looked up."""
    upper = np.uint64(64 - SHORT)
    second = 1 if len(short) > 1 else 0
    first_table, second_table = short[0], short[second]
    word, have, at = _at(bits, position)
    for x in range(0, len(row), 2):
        one = first_table[word >> upper]
        rest = word << np.uint64(one & 255)
        two = second_table[rest >> upper]
        if one != 0 and two != 0:
            row[x], row[x + 1] = _number(word, one), _number(rest, two)
            word = rest << np.uint64(two & 255)
            have -= np.uint64((one & 255) + (two & 255))
            word |= _word(bits, at) >> have
            whole = (np.uint64(63) - have) >> np.uint64(3)
            at, have = at + whole, have + (whole << np.uint64(3))
        else:
            position = at * np.uint64(8) - have
            for k in range(2):
                c = second * k
                row[x + k], used = _long(_at(bits, position)[0], limits[c], symbols[c])
                if used == 0:
                    return np.uint64(0)
                position += np.uint64(used)
            word, have, at = _at(bits, position)
    return at * np.uint64(8) - have


@kernel
def _predicted(predictor, left, above, corner):
    """By predictor 2 to 7; `_sum_up` is 1."""
    if predictor < 4:
        guess = above if predictor == 2 else corner
    elif predictor < 6:
        rise = above - corner
        guess = left + (rise if predictor == 4 else rise >> 1)
    else:
        guess = above + ((left - corner) >> 1) if predictor == 6 else (left + above) >> 1
    return guess


@kernel
def _decode(bits, size, short, limits, symbols, predictor, precision, out):
    """Whether `out` could be filled."""
    count, width = len(short), out.shape[1]
    row = np.empty(width, np.int32)
    position, end = np.uint64(0), np.uint64(size) * np.uint64(8)
    for c in range(count):
        out[0, c] = 1 << (precision - 1)
    largest = np.uint16(0)
    for y in range(len(out)):
        position = _differences(bits, position, short, limits, symbols, row)
        if position == 0 or position > end:
            return False
        line, above = out[y], out[max(y - 1, 0)]
        for c in range(count):
            line[c] = above[c] + row[c]
        if y == 0 or predictor == 1:
            _sum_up(line, row, count)
        else:
            _predict(line, above, row, count, predictor)
        for x in range(width):
            largest |= line[x]
    return largest >> precision == 0


@kernel
def _sum_up(line, row, count):
    """From the left; sums wrap at 16 bits, as the standard has it."""
    if count == 2:
        one, two = np.int32(line[0]), np.int32(line[1])
        for x in range(2, len(line) - 1, 2):
            one, two = np.int32(one + row[x]), np.int32(two + row[x + 1])
            line[x], line[x + 1] = one, two
    else:
        for c in range(count):
            one = np.int32(line[c])
            for x in range(c + count, len(line), count):
                one = np.int32(one + row[x])
                line[x] = one


@kernel
def _predict(line, above, row, count, predictor):
    for x in range(count, len(line)):
        left, up, corner = np.int64(line[x - count]), np.int64(above[x]), np.int64(above[x - count])
        line[x] = _predicted(predictor, left, up, corner) + row[x]


def plain(data: U8, bits: int, little: bool, out: U16) -> bool:
    """Fill `out` with numbers that are not compressed, those of less than 16 bits packed."""
    if bits == 16:
        out.reshape(-1)[:] = data.view("<u2" if little else ">u2")
        return True
    padded = np.zeros(len(data) + PADDING, np.uint8)
    padded[: len(data)] = data
    _unpacked(padded, bits, out.reshape(-1))
    return True


@kernel
def _unpacked(bits, size, out):
    """The highest bit first, whatever the order of bytes (TIFF 6.0, FillOrder 1)."""
    shift = np.uint64(64 - size)
    for i in range(len(out)):
        out[i] = _at(bits, np.uint64(i * size))[0] >> shift
