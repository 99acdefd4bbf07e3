"""Arrays as small pictures: planes side by side in one PNG, written here, for no library is needed to.

Format: W3C, "Portable Network Graphics (PNG) Specification", third edition, sections 5 and 11.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Sequence

import numpy as np

from kernels.array import Array
from models.explorer.schema import Sprite

# Of a plane in a mosaic, in pixels; larger planes are averaged down.
LARGEST_SIDE = 56
GREY, COLOUR = 0, 2  # PNG's colour types


def png(pixels: Array) -> bytes:
    """Return uint8 pixels (H, W) or (H, W, 3) as a PNG file."""
    height, width = pixels.shape[:2]
    colour_type = GREY if pixels.ndim == 2 else COLOUR
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    rows = np.ascontiguousarray(pixels, np.uint8).reshape(height, -1)
    # Every row begins with the number of its filter; 0: as it is.
    filtered = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def data_uri(pixels: Array) -> str:
    """Return uint8 pixels (H, W) or (H, W, 3) as a PNG in a data URI."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode("ascii")


def mosaic(
    planes: Array,
    names: Sequence[str],
    caption: str,
    most: int,
    signed: bool = False,
    side: int = LARGEST_SIDE,
) -> Sprite:
    """Return the first `most` planes side by side, each in its own scale of brightness.

    Args:
        planes: (P, H, W), or (P, 3, H, W) for colours.
        names: of the planes.
        caption: of the picture.
        most: how many planes are shown.
        signed: grey is zero, and the largest magnitude is white or black; otherwise black is the smallest
            value and white the largest.
        side: the largest side of a plane.
    """
    shown = [shrink(plane, side) for plane in planes[:most]]
    tiles = [brightness(plane, signed) for plane in shown]
    height, width = tiles[0].shape[-2:]
    columns = math.ceil(math.sqrt(len(tiles) * height / width)) if len(tiles) > 1 else 1
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    colours = tiles[0].shape[:-2]
    canvas = np.zeros((*colours, rows * height, columns * width), np.uint8)
    for index, tile in enumerate(tiles):
        top, left = index // columns * height, index % columns * width
        canvas[..., top : top + height, left : left + width] = tile
    pixels = canvas if not colours else canvas.transpose(1, 2, 0)  # (H, W) or (H, W, 3)
    return Sprite(
        data_uri(pixels),
        width,
        height,
        columns,
        tuple(names[: len(tiles)]),
        caption,
        len(planes) - len(tiles),
    )


def brightness(plane: Array, signed: bool) -> Array:
    """Return the plane's values as uint8; see `mosaic`. What is not finite is black."""
    values = np.where(np.isfinite(plane), plane, 0).astype(np.float64)
    if signed:
        largest = float(np.abs(values).max(initial=0)) or 1.0
        scaled = 127.5 + 127.5 * values / largest
    else:
        low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
        scaled = (values - low) * (255 / (high - low)) if high > low else np.zeros_like(values)
    return np.rint(np.where(np.isfinite(plane), scaled, 0)).astype(np.uint8)


def shrink(plane: Array, side: int) -> Array:
    """Return (..., H, W) with neither side above `side`: blocks are averaged, the rest is cut off."""
    factor = -(-max(plane.shape[-2:]) // side)
    if factor == 1:
        return plane
    height, width = (max(length // factor, 1) for length in plane.shape[-2:])
    high, wide = min(factor, plane.shape[-2]), min(factor, plane.shape[-1])
    whole = plane[..., : height * high, : width * wide]
    blocks = whole.reshape(*plane.shape[:-2], height, high, width, wide)
    averaged: Array = blocks.mean(axis=(-3, -1))
    return averaged
