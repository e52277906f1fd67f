"""What holders tell each other through Redis."""

import msgspec

__all__ = ["EVERYTHING", "Announcement", "decode_announcement", "encode_announcement"]

EVERYTHING = "*"


class Announcement(msgspec.Struct, frozen=True, array_like=True):
    """Tags that change.

    Attributes:
        fence: its id, by which it is acknowledged.
        sender: the holder who says it and has written it down; empty if it is none.
        waits: whether the sender waits for acknowledgements.
        tags: what changes; ``EVERYTHING`` for all.
        seconds: how long the fence stands; 0 when the change is over.
    """

    fence: bytes
    sender: bytes
    waits: bool
    tags: tuple[str, ...]
    seconds: float = 0.0


encode_announcement = msgspec.msgpack.Encoder().encode
decode_announcement = msgspec.msgpack.Decoder(Announcement).decode
