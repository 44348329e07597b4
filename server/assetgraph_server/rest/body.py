"""Request bodies as real clients send them: chunked or not, compressed or not, bounded before and after inflation."""

import zlib

from starlette.datastructures import Headers
from starlette.types import Receive

from assetgraph.errors import AssetgraphError, Invalid, Limit

_CHUNK = 256 * 1024
#: A refused body is read to its end up to this size, so that a kept-alive connection stays usable.
DRAINED_BYTES = 8 * 1024 * 1024


class Unsupported(AssetgraphError):
    """The body is encoded in a way that this service does not read."""

    code = "INVALID"


class Left(AssetgraphError):
    """The client went away before its body was complete: nobody hears the answer."""

    code = "INVALID"


class Inflater:
    """Takes a body piece by piece and never holds more than `most` inflated bytes."""

    def __init__(self, encoding: str, most: int) -> None:
        """Begin; raises Unsupported for what is neither gzip nor deflate nor identity."""
        if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise Unsupported(f"Content-Encoding '{encoding[:40]}' is not read here; send gzip, deflate or none")
        self._inflate = None if encoding in ("", "identity") else zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        self._most = most
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Add a piece; raises Limit when the body grows too large, Invalid when it is not what it claims to be."""
        if self._inflate is None:
            self._add(data)
            return
        try:
            while data:
                self._add(self._inflate.decompress(data, _CHUNK))
                data = self._inflate.unconsumed_tail
                if self._inflate.eof:
                    break  # what follows the stream is no part of it
        except zlib.error as error:
            raise Invalid(f"the body is not valid gzip or deflate data: {error}") from None

    def _add(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._most:
            raise Limit(f"the body is larger than the {self._most} bytes allowed, inflated: send smaller batches")
        self._parts.append(data)

    def finish(self) -> bytes:
        """Return the whole body; raises Invalid when compressed data end early."""
        if self._inflate is not None and not self._inflate.eof:
            raise Invalid("the body ends in the middle of its compressed data")
        return b"".join(self._parts)


async def read_body(headers: Headers, receive: Receive, most: int) -> bytes:
    """Return the inflated body of a request; when it is refused, the rest of it is read and thrown away."""
    error: AssetgraphError | None = None
    inflater: Inflater | None = None
    declared = headers.get("content-length", "")
    try:
        inflater = Inflater(headers.get("content-encoding", "").strip().lower(), most)
        if declared.isdecimal() and int(declared) > most:
            raise Limit(f"the body is larger than the {most} bytes allowed: send smaller batches")
    except AssetgraphError as refused:
        error = refused
    drained, more = 0, True
    while more and drained < DRAINED_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Left("the client left before its request was complete")
        piece: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        if error is not None or inflater is None:
            drained += len(piece)
            continue
        try:
            inflater.feed(piece)
        except AssetgraphError as refused:
            error = refused
    if error is not None or inflater is None:
        raise error or Unsupported("the body cannot be read")
    return inflater.finish()
