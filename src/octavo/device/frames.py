"""Packets as frames of bytes: a CRC-32 finds what a line has changed, COBS where a frame begins and ends.

COBS: Cheshire and Baker, "Consistent Overhead Byte Stuffing", 1999. A frame holds no 0 but the one that ends it.
"""

from __future__ import annotations

import zlib

__all__ = ["framed", "unframed"]

_GROUP = 254  # bytes without a 0 that one length byte can stand for
_CRC_BYTES = 4


def framed(packet: bytes) -> bytes:
    """The packet's frame, with a 0 before it too: what noise has left in a receiver ends there."""
    whole = packet + zlib.crc32(packet).to_bytes(_CRC_BYTES, "little")
    out = bytearray(b"\0")
    for index, part in enumerate(parts := whole.split(b"\0")):
        while len(part) > _GROUP:
            out += b"\xff" + part[:_GROUP]
            part = part[_GROUP:]
        if len(part) == _GROUP and index == len(parts) - 1:
            out += b"\xff" + part
        else:
            # A full group has no 0 of its own behind it, so that 0 needs a group.
            out += b"\xff" + part + b"\x01" if len(part) == _GROUP else bytes([len(part) + 1]) + part
    return bytes(out + b"\0")


def unframed(frame: bytes) -> bytes | None:
    """The packet in a frame without its 0; None when the line has changed it."""
    out = bytearray()
    place = 0
    while place < len(frame):
        end = place + frame[place]
        if frame[place] == 0 or end > len(frame):
            return None
        out += frame[place + 1 : end]
        if frame[place] <= _GROUP and end < len(frame):
            out.append(0)
        place = end
    packet, crc = bytes(out[:-_CRC_BYTES]), out[-_CRC_BYTES:]
    good = len(out) >= _CRC_BYTES and zlib.crc32(packet).to_bytes(_CRC_BYTES, "little") == crc
    return packet if good else None
