"""Text files as UTF-8 with line feeds: what encoding a file is in is told by its bytes, or it is a finding."""

import codecs
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from assetgraph.inventory.discover.candidates import BrokenFile
from assetgraph.inventory.formats.scratch import CHUNK_BYTES, Scratch, open_inflated

#: How much of a text file is looked at before it is parsed, in bytes.
SNIFFED_BYTES = 1 << 16

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
#: What Western text has beyond ASCII, often enough to believe it.
_WESTERN = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüœŒŠšŽžŸ€£¥§©®°±²³µ·«»¡¿ºª½¼¾´¨¸–—‘’‚“”„…•™ "
)
#: Above this share of pairs of high bytes the text is Chinese.
_PAIRED = 0.9
#: Longer runs than this of accented letters are no Western text.
_WESTERN_RUN = 2


def plain_text(file: Path, scratch: Scratch, *, mark: bool = True) -> Path:
    """Return a file with the same text in UTF-8 and with line feeds: the file itself where it is so already.

    Without `mark` it has no byte order mark either.
    """
    stream, compressed = open_inflated(file)
    with closing(stream):
        start = stream.read(SNIFFED_BYTES)
        if not start:
            raise BrokenFile(file, "EMPTY_FILE", f"'{file.name}' is empty (0 bytes)")
        encoding = encoding_of(start, file)
        returns = _ends_with_returns(start, encoding)
        if not compressed and (encoding == "utf-8" or (mark and encoding == "utf-8-sig")) and not returns:
            return file
        copy = scratch.path(".txt")
        _write(copy, _decoded(stream, start, encoding, returns=returns), scratch)
    return copy


def decoded_later(file: Path, scratch: Scratch) -> Path:
    """Return a UTF-8 copy of a file whose first bytes are UTF-8 and some later ones are not."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    window = b""
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                window = (chunk[max(0, error.start - 100) :] + stream.read(CHUNK_BYTES))[:SNIFFED_BYTES]
                break
        encoding = encoding_of(window or b"\xff", file)
        stream.seek(0)
        copy = scratch.path(".txt")
        _write(copy, _decoded(stream, b"", encoding, returns=False), scratch)
    return copy


def encoding_of(start: bytes, file: Path) -> str:
    """Return the encoding of a text by its first bytes; raises BrokenFile ENCODING when it cannot be told."""
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name
    if b"\0" in start:
        return _wide(start, file)
    if _decodes(start, "utf-8"):
        return "utf-8"
    runs = list(_high_runs(start))
    high = sum(runs)
    paired = sum(run for run in runs if run % 2 == 0)
    if paired >= _PAIRED * high and _decodes(start, "gb18030") and _is_chinese(start):
        return "gb18030"
    western = start.decode("cp1252", "replace")
    accents = [letter for letter in western if letter > "\x7f"]
    short = sum(run for run in runs if run <= _WESTERN_RUN)
    if sum(letter in _WESTERN for letter in accents) >= _PAIRED * len(accents) and short >= _PAIRED * high:
        return "cp1252"
    raise BrokenFile(file, "ENCODING", f"the encoding of '{file.name}' cannot be told; convert it to UTF-8")


def _wide(start: bytes, file: Path) -> str:
    even, odd = start[0::2].count(0), start[1::2].count(0)
    half = len(start) // 2
    for zeros, others, name in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if zeros > half // 4 and others <= half // 100 and _decodes(start, name):
            return name
    raise BrokenFile(file, "ENCODING", f"'{file.name}' is binary, or text in an encoding that cannot be told")


def _decodes(start: bytes, encoding: str) -> bool:
    try:
        # The last character may be cut in two.
        codecs.getincrementaldecoder(encoding)().decode(start, final=False)
    except UnicodeDecodeError:
        return False
    return True


def _high_runs(start: bytes) -> Iterator[int]:
    run = 0
    for byte in start:
        if byte > 0x7F:
            run += 1
        elif run:
            yield run
            run = 0
    # The last run may be cut.
    if run > 1:
        yield run - run % 2


def _is_chinese(start: bytes) -> bool:
    text = codecs.getincrementaldecoder("gb18030")().decode(start, final=False)
    wide = [letter for letter in text if letter > "\x7f"]
    # CJK ideographs, punctuation and full-width forms; those of GB 2312 are the ones that texts are made of.
    common = re.findall("[\u4e00-\u9fff\u3000-\u303f\uff00-\uffef]", text)
    return bool(wide) and len(common) >= _PAIRED * len(wide)


def _ends_with_returns(start: bytes, encoding: str) -> bool:
    text = codecs.getincrementaldecoder(encoding)().decode(start, final=False)
    return "\r" in text and "\n" not in text


def _decoded(stream: BinaryIO, start: bytes, encoding: str, *, returns: bool) -> Iterator[bytes]:
    if encoding in ("utf-8", "utf-8-sig"):
        start = start.removeprefix(codecs.BOM_UTF8)
        chunk = start
        while chunk:
            yield chunk.replace(b"\r", b"\n") if returns else chunk
            chunk = stream.read(CHUNK_BYTES)
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    chunk = start or stream.read(CHUNK_BYTES)
    while chunk:
        text = decoder.decode(chunk)
        yield (text.replace("\r", "\n") if returns else text).encode()
        chunk = stream.read(CHUNK_BYTES)
    yield decoder.decode(b"", final=True).encode()


def _write(copy: Path, chunks: Iterator[bytes], scratch: Scratch) -> None:
    with copy.open("wb") as written:
        for chunk in chunks:
            scratch.spend(len(chunk))
            written.write(chunk)
