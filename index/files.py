"""The files of an index, opened without trust: what is not the plain file that was written is damage.

Nothing here waits (a named pipe in a file's place would keep a reader for ever), and what is mapped into memory is
the very file whose checksum was right, not one that has taken its name since.
"""

import errno
import hashlib
import math
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np

from index.errors import IndexDamaged, InputError, RagError

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENXIO)
"""What opening says where there is no such file, or something else: a folder, a socket."""


def damaged(place: Path, what: str) -> IndexDamaged:
    """The error for an index at ``place`` in which ``what`` is wrong."""
    return IndexDamaged(f"the index at {place} is damaged ({what}): build it again with `rag index PATH --index DIR`")


def unread(place: Path, what: str, error: OSError) -> RagError:
    """A file that is gone is damage; one that may not be read, or not now, is none."""
    why = f"{what}: {error.strerror or error}"
    if error.errno in _GONE:
        return damaged(place, why)
    return InputError(f"the index at {place} cannot be read ({why}): mend that, nothing is known to be wrong with it")


def open_file(path: Path) -> BufferedReader:
    """The plain file at ``path``, to be read; IndexDamaged for anything else that can be opened, else OSError."""
    waitless = getattr(os, "O_NONBLOCK", 0)
    stream = open(path, "rb", opener=lambda name, flags: os.open(name, flags | waitless))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise damaged(path.parent, f"{path.name} is no file")
    return stream


@contextmanager
def checked_file(path: Path, facts: Mapping[str, Any]) -> Iterator[BufferedReader]:
    """As ``open_file``; IndexDamaged where size or checksum are not those of the manifest's ``facts``."""
    with open_file(path) as stream:
        if os.fstat(stream.fileno()).st_size != facts["bytes"]:
            raise damaged(path.parent, f"{path.name} has another size than its manifest says")
        if hashlib.file_digest(stream, "sha256").hexdigest() != facts["sha256"]:
            raise damaged(path.parent, f"{path.name} has another checksum than its manifest says")
        stream.seek(0)
        yield stream


def map_bytes(stream: BufferedReader) -> np.ndarray:
    """All bytes of a file, mapped and read-only."""
    size = os.fstat(stream.fileno()).st_size
    return np.memmap(stream, np.uint8, "r") if size else np.zeros(0, np.uint8)  # an empty file cannot be mapped


def map_array(stream: BufferedReader) -> np.ndarray:
    """The array in an ``.npy`` file, mapped; ValueError for anything but plain numbers that fill the file exactly.

    Not ``numpy.load``, which also opens zip archives and allocates what a header asks for.
    """
    try:
        version = np.lib.format.read_magic(stream)
        header = np.lib.format.read_array_header_1_0(stream) if version == (1, 0) else None
    except Exception as error:  # numpy has Python parse the header: SyntaxError, TokenError, MemoryError and others
        raise ValueError(f"no header of an array ({type(error).__name__})") from None
    if header is None:
        raise ValueError("another version of the array format")
    shape, fortran, dtype = header
    offset, size = stream.tell(), os.fstat(stream.fileno()).st_size
    if dtype.kind not in "biuf" or fortran or any(length < 0 for length in shape):
        raise ValueError(f"an array of {dtype} {shape}")
    if offset + math.prod(shape) * dtype.itemsize != size:
        raise ValueError(f"{size} bytes for an array of {dtype} {shape}")
    if not math.prod(shape):
        return np.zeros(shape, dtype)
    return np.memmap(stream, dtype, "r", offset, shape)
