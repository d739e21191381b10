"""Numba kernels from pixels to run lengths and back, 64 pixels at a time.

Run lengths go down the columns, but images lie in memory row by row. Scanning columns of a row-major image touches a
new cache line for every pixel, and copying the image into column order first costs more than all the rest. These
kernels read (or write) each row once, in order, and turn the problem by 90 degrees where it is 64 times smaller:

1. *Pack*: 64 pixels become one word of 64 bits by a single vector comparison. A strip is a column of such words.
2. *Edges*: word XOR the word above has a bit set wherever a pixel differs from the one above it, which is where a run
   ends. Above the first row lies the last row, moved by one column: column order goes on from the bottom of a column
   at the top of the next. A tile is 64x64 edge bits; most tiles of most masks are empty and cost nothing further.
3. *Transpose* the tiles that are not, so that a word holds 64 edge bits of one column.
4. *Emit* the positions of the set bits, strip by strip, column by column; their differences are the run lengths.

Decoding is the mirror image: *toggle* the bits where runs end, *transpose* the tiles that have any, XOR each row of
words into the next one, *unpack* words to pixels.

The vector steps are LLVM IR without any instruction of one processor: LLVM makes AVX-512, AVX2, SSE or NEON of it.
Positions and run lengths are modulo 2**32, everything else is 64 bits wide.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from xplain.kernels.jit import kernel

Counts = npt.NDArray[np.uint32]
Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.uint8]

_BIT, _BYTE, _INT, _WORD = ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
_MANY = 6  # set bits in a word from which on all of its positions are written at once
_STREAM = 2**23  # pixels from which on decoding leaves the caches alone
_ZERO, _ONE, _ALL = np.uint64(0), np.uint64(1), ~np.uint64(0)


# ---------------------------------------------------------------- vector steps, in LLVM IR


def _intrinsic(define: Any) -> Any:
    """`numba.extending.intrinsic`, with types."""
    return intrinsic(define)


def _vector(item: ir.Type) -> ir.VectorType:
    return ir.VectorType(item, 64)


def _constant(item: ir.Type, numbers: Any) -> ir.Constant:
    return ir.Constant(_vector(item), list(numbers))


def _pointer(context: Any, builder: Any, kind: Any, args: Any, pointee: ir.Type) -> Any:
    """Address of item args[1] of the array args[0], as a pointer to another type."""
    data = context.make_array(kind)(context, builder, args[0]).data
    return builder.bitcast(builder.gep(data, [args[1]]), pointee.as_pointer())


def _function(builder: Any, name: str, result: ir.Type, *arguments: ir.Type) -> Any:
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)  # type: ignore[no-untyped-call]


def _broadcast(builder: Any, value: Any) -> Any:
    undefined = ir.Constant(_vector(value.type), ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(_INT, 0))
    return builder.shuffle_vector(first, undefined, _constant(_INT, [0] * 64))


@_intrinsic
def _pack(typing: Any, values: Any, offset: Any, threshold: Any) -> Any:
    """Word of 64 bits, one for each of values[offset:offset + 64]: byte != 0, or float >= threshold."""
    item = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}.get(values.dtype, _BYTE)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pixels = builder.load(_pointer(context, builder, values, args, _vector(item)), align=1)
        if item is _BYTE:
            is_set = builder.icmp_unsigned("!=", pixels, ir.Constant(_vector(item), None))
        else:
            is_set = builder.fcmp_ordered(">=", pixels, _broadcast(builder, args[2]))
        return builder.bitcast(is_set, _WORD)

    return types.uint64(values, types.int64, values.dtype), generate


def _unpacker(streaming: bool) -> Any:
    @_intrinsic
    def unpack(typing: Any, out: Any, offset: Any, word: Any) -> Any:
        """out[offset:offset + 64] = the 64 bits of a word; the address must be a multiple of 64."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pixels = builder.zext(builder.bitcast(args[2], _vector(_BIT)), _vector(_BYTE))
            store = builder.store(pixels, _pointer(context, builder, out, args, _vector(_BYTE)), align=64)
            if streaming:  # past the caches, which would first read what is overwritten
                store.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(_INT, 1)]))
            return context.get_dummy_value()

        return types.void(out, types.int64, types.uint64), generate

    return unpack


_unpack, _stream = _unpacker(False), _unpacker(True)


@_intrinsic
def _transpose(typing: Any, source: Any, i: Any, target: Any, j: Any) -> Any:
    """target[j:j + 64] = the transposed 64x64 bits of source[i:i + 64].

    Exchanges the off-diagonal blocks of 32x32 bits, then of 16x16, down to single bits (Hacker's Delight, section
    7-3), in all 64 words at once: the partner of a row holds the bits, a rotation brings them into place.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        words = _vector(_WORD)
        rotate = _function(builder, "llvm.fshl.v64i64", words, words, words, words)
        tile = builder.load(_pointer(context, builder, source, args, words), align=8)
        for step in (32, 16, 8, 4, 2, 1):
            low = sum(1 << bit for bit in range(64) if not bit & step)
            stays = _constant(_WORD, (low << (step if row & step else 0) for row in range(64)))
            turn = _constant(_WORD, (64 - step if row & step else step for row in range(64)))
            partner = builder.shuffle_vector(tile, tile, _constant(_INT, (row ^ step for row in range(64))))
            moved = builder.call(rotate, [partner, partner, turn])
            tile = builder.or_(builder.and_(tile, stays), builder.and_(moved, builder.not_(stays)))
        builder.store(tile, _pointer(context, builder, target, args[2:], words), align=8)
        return context.get_dummy_value()

    return types.void(source, types.int64, target, types.int64), generate


@_intrinsic
def _positions(typing: Any, out: Any, offset: Any, word: Any, base: Any) -> Any:
    """out[offset + k] = base + position of the k-th set bit; overwrites out[offset:offset + 64]."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes, counts = _vector(_BYTE), _vector(_INT)
        name = "llvm.experimental.vector.compress.v64i8"
        compress = _function(builder, name, lanes, lanes, _vector(_BIT), lanes)
        is_set = builder.bitcast(args[2], _vector(_BIT))
        bits = builder.call(compress, [_constant(_BYTE, range(64)), is_set, ir.Constant(lanes, ir.Undefined)])
        positions = builder.add(builder.zext(bits, counts), _broadcast(builder, builder.trunc(args[3], _INT)))
        builder.store(positions, _pointer(context, builder, out, args, counts), align=4)
        return context.get_dummy_value()

    return types.void(out, types.int64, types.uint64, types.int64), generate


@_intrinsic
def _lowest(typing: Any, word: Any) -> Any:
    """Position of the lowest set bit."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(_BIT, 1))

    return types.int64(types.uint64), generate


@_intrinsic
def _ones(typing: Any, word: Any) -> Any:
    """Number of set bits."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.uint64), generate


# ---------------------------------------------------------------- encoding


@kernel
def _emit(word: Any, base: int, out: Counts, n: Any) -> Any:
    """Write base + position of each set bit at out[n:] and return the new n; out needs 64 elements to spare."""
    count = _ones(word)
    if count > _MANY:
        _positions(out, n, word, base)
        return n + count
    out[n] = base + _lowest(word)  # even if no bit is set: most words have one or none, so asking first is no gain
    n += word != _ZERO
    word &= word - _ONE
    while word != _ZERO:
        out[n] = base + _lowest(word)
        n += 1
        word &= word - _ONE
    return n


@kernel
def _differences(positions: Counts) -> None:
    """Replace each position by its distance from the one before."""
    previous = np.uint32(0)
    for i in range(positions.size):
        position = positions[i]
        positions[i] = position - previous
        previous = position


@kernel
def _pack_rows(values: Any, start: int, rows: int, width: int, thresholds: Any, bits: Words) -> None:
    """Pack rows of pixels into bits[strip, 1:], which has 65 words for each strip of each level."""
    full = width // 64
    strips = (width + 63) // 64
    for i in range(rows):
        row = start + i * width
        for k in range(thresholds.size):
            first = k * strips * 65 + i + 1
            for w in range(full):
                bits[first + w * 65] = _pack(values, row + 64 * w, thresholds[k])
            if full < strips:  # the last 64 pixels, less those that are in the strip before
                word = _pack(values, row + width - 64, thresholds[k]) >> np.uint64(-width % 64)
                bits[first + full * 65] = word


@kernel
def _edges(bits: Words, band: int, bands: int, tile: Words, tiles: Words, changed: Flags) -> int:
    """Transpose the edges of each strip into tiles[strip, band] and return how many there are."""
    total = 0
    for strip in range(bits.size // 65):
        above = strip * 65
        either = _ZERO
        for i in range(64):
            edges = bits[above + i] ^ bits[above + i + 1]
            tile[i] = edges
            either |= edges
        bits[above] = bits[above + 64]
        if either != _ZERO:
            for i in range(64):
                total += _ones(tile[i])
            _transpose(tile, 0, tiles, (strip * bands + band) * 64)
            changed[strip * bands + band] = 1
    return total


@kernel
def _emit_tiles(
    tiles: Words,
    changed: Flags,
    first: int,
    height: int,
    width: int,
    scratch: npt.NDArray[np.int64],
    out: Counts,
    n: int,
) -> int:
    """Write the positions of the edges of one level, whose tiles start at strip ``first``, at out[n:].

    Returns the new n. ``scratch`` has room for one number for each band.
    """
    bands = scratch.size
    for w in range((width + 63) // 64):
        start = (first + w) * bands
        count = 0  # of the bands with edges, which come first in ``scratch``
        for band in range(bands):
            scratch[count] = band
            count += changed[start + band]
        for c in range(min(64, width - 64 * w) if count else 0):
            top = (64 * w + c) * height
            for j in range(count):
                band = scratch[j]
                n = _emit(tiles[(start + band) * 64 + c], top + 64 * band, out, n)
    return n


@kernel
def encode_rows(values: Any, height: int, width: int, thresholds: Any) -> Any:
    """Encode a row-major image of at least 64 columns at each threshold.

    Parameters
    ----------
    values : (height * width,) array of uint8, float32 or float64
        Pixels; set where a byte is not 0 or a float is >= the threshold.
    height, width : int
        At least 1 and 64.
    thresholds : (levels,) array of the same dtype
        For bytes one element, which is ignored.

    Returns
    -------
    counts : uint32 array
        Run lengths of all levels, one after the other.
    ends : (levels,) int64 array
        Where the counts of each level end.
    """
    strips = (width + 63) // 64
    bands = (height + 63) // 64
    levels = thresholds.size
    bits = np.empty(levels * strips * 65, np.uint64)
    tile = np.empty(64, np.uint64)
    tiles = np.empty(levels * strips * bands * 64, np.uint64)
    changed = np.zeros(levels * strips * bands, np.uint8)
    _pack_rows(values, (height - 1) * width, 1, width, thresholds, bits)
    for k in range(levels):  # the row above the first is the last, one column to the right
        carry = _ZERO
        for strip in range(k * strips, (k + 1) * strips):
            word = bits[strip * 65 + 1]
            bits[strip * 65] = (word << _ONE) | carry
            carry = word >> np.uint64(63)
        bits[((k + 1) * strips - 1) * 65] &= _ALL >> np.uint64(-width % 64)
    total = 0
    for band in range(bands):
        rows = min(64, height - 64 * band)
        _pack_rows(values, 64 * band * width, rows, width, thresholds, bits)
        for strip in range(levels * strips if rows < 64 else 0):  # rows below the image repeat its last: no edges
            bits[strip * 65 + rows + 1 : strip * 65 + 65] = bits[strip * 65 + rows]
        total += _edges(bits, band, bands, tile, tiles, changed)
    counts = np.empty(total + levels + 64, np.uint32)
    ends = np.empty(levels, np.int64)
    scratch = np.empty(bands, np.int64)
    n = 0
    for k in range(levels):
        start = n
        n = _emit_tiles(tiles, changed, k * strips, height, width, scratch, counts, n)
        counts[n] = height * width
        n += 1
        _differences(counts[start:n])
        ends[k] = n
    return counts[:n], ends


@kernel
def encode_columns(values: Any, thresholds: Any) -> Any:
    """Encode a column-major image, whose edges are those of one long column; otherwise as `encode_rows`."""
    full = values.size // 64
    last = np.zeros(64, values.dtype)
    last[: values.size % 64] = values[64 * full :]
    edges = np.empty((thresholds.size, full + 1), np.uint64)
    total = 0
    for k in range(thresholds.size):
        carry = _ZERO
        for j in range(full):
            word = _pack(values, 64 * j, thresholds[k])
            edges[k, j] = word ^ ((word << _ONE) | carry)
            carry = word >> np.uint64(63)
            total += _ones(edges[k, j])
        inside = (_ONE << np.uint64(values.size % 64)) - _ONE
        word = _pack(last, 0, thresholds[k])
        edges[k, full] = (word ^ ((word << _ONE) | carry)) & inside
        total += _ones(edges[k, full])
    counts = np.empty(total + thresholds.size + 64, np.uint32)
    ends = np.empty(thresholds.size, np.int64)
    n = 0
    for k in range(thresholds.size):
        start = n
        for j in range(full + 1):
            n = _emit(edges[k, j], 64 * j, counts, n)
        counts[n] = values.size
        n += 1
        _differences(counts[start:n])
        ends[k] = n
    return counts[:n], ends


# ---------------------------------------------------------------- decoding


@kernel
def _toggle(counts: Counts, height: int, width: int, tiles: Words, changed: Flags, row: Words) -> None:
    """Set a bit where a run ends, in tiles[strip, band] with a word for each column.

    ``row`` gets the row above the first: the columns whose top continues a run of ones.
    """
    bands = (height + 63) // 64
    r: Any = 0
    c: Any = 0
    for i in range(counts.size):
        r += counts[i]
        if r >= height:
            columns = 1
            r -= height
            if r >= height:  # a division only for a run of more than a column
                columns += r // height
                r %= height
            if i % 2:
                for q in range(c + 1, min(c + columns + 1, width)):
                    row[q // 64] |= _ONE << np.uint64(q % 64)
            c += columns
            if c >= width:
                break
        tile = (c // 64) * bands + r // 64
        if not changed[tile]:
            changed[tile] = 1
            tiles[tile * 64 : tile * 64 + 64] = _ZERO
        tiles[tile * 64 + c % 64] ^= _ONE << np.uint64(r % 64)


@kernel
def _decode(counts: Counts, height: int, width: int, out: Any) -> Any:
    """Write the pixels, row by row as one stream of words, from the first whole cache line on; return its offset."""
    streaming = height * width >= _STREAM
    full = width // 64
    strips = (width + 63) // 64
    bands = (height + 63) // 64
    tail = np.uint64(width % 64)
    tiles = np.empty(strips * bands * 64, np.uint64)
    changed = np.zeros(strips * bands, np.uint8)
    edges = np.zeros(strips * 64, np.uint64)
    row = np.zeros(strips, np.uint64)
    _toggle(counts, height, width, tiles, changed, row)
    start = offset = -np.int64(out.ctypes.data) % 64
    pending = used = _ZERO  # the word to write next, and how many bits of it are known
    for band in range(bands):
        for strip in range(strips):
            tile = strip * bands + band
            if changed[tile]:
                _transpose(tiles, tile * 64, edges, strip * 64)
            elif band > 0 and changed[tile - 1]:
                edges[strip * 64 : strip * 64 + 64] = _ZERO
        for i in range(min(64, height - 64 * band)):
            for w in range(full):
                word = row[w] ^ edges[w * 64 + i]
                row[w] = word
                if streaming:
                    _stream(out, offset, pending | (word << used))
                else:
                    _unpack(out, offset, pending | (word << used))
                pending = (word >> _ONE) >> (np.uint64(63) - used)
                offset += 64
            if full < strips:
                word = row[full] ^ edges[full * 64 + i]
                row[full] = word
                pending |= word << used
                used += tail
                if used >= np.uint64(64):
                    _unpack(out, offset, pending)
                    offset += 64
                    used -= np.uint64(64)
                    pending = word >> (tail - used)
    if used:
        _unpack(out, offset, pending)
    return start


def decode(counts: Counts, height: int, width: int) -> npt.NDArray[np.bool_]:
    """Decode to a new bool array (height, width).

    Parameters
    ----------
    counts : uint32 array
        Summing to height * width.
    height, width : int
        At least 1.
    """
    # NumPy's allocator asks for huge pages; the kernel may write up to 63 bytes more on either side.
    out = np.empty(height * width + 128, np.bool_)
    start = _decode(counts, height, width, out)
    return out[start : start + height * width].reshape(height, width)
