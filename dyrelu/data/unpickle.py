"""An unpickler for plain values and byte arrays that cannot be made to run code.

A pickle runs code only through the names it looks up (`pickle.Unpickler.find_class`). Here each allowed name
leads to a function or class of this file, so calling it with hostile arguments does nothing either; every
other name is refused.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from dyrelu.errors import DataError

__all__ = ["PickledArray", "restricted_loads"]


class _PickledDtype:
    """Stands for `numpy.dtype`: keeps the type's code, drops byte order and metadata."""

    def __init__(self, code: object, *_flags: object) -> None:
        self.code = code

    def __setstate__(self, _state: object) -> None:
        """Byte order and alignment mean nothing for single bytes."""


class PickledArray:
    """Stands for `numpy.ndarray`: keeps the pickled state without acting on it."""

    def __init__(self, *_arguments: object) -> None:
        self._state: object = None

    def __setstate__(self, state: object) -> None:
        self._state = state

    def as_bytes(self, where: str, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
        """Return the array, which must be uint8 of `shape`, in C order.

        Raises:
            DataError: it is of another type, shape, order or length; `where` starts the sentence.
        """
        match self._state:
            case (int(), tuple() as found, _PickledDtype(code="u1" | b"u1"), is_fortran, bytes() as data):
                if found == shape and not is_fortran and len(data) == np.prod(shape, dtype=int):
                    return np.frombuffer(data, dtype=np.uint8).reshape(shape)
        raise DataError(f"{where} is no uint8 array of shape {shape}: give the CIFAR-10 archive")


def _reconstruct(*_arguments: object) -> PickledArray:
    """Stand for `numpy.core.multiarray._reconstruct`, whose arguments only describe an empty array."""
    return PickledArray()


def _encode(text: object, encoding: object = None) -> bytes:
    """Stand for `_codecs.encode`, by which protocol 2 stores bytes as Latin-1 text."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("bytes in another encoding than latin1")
    return text.encode("latin-1")


def _empty_bytes(*arguments: object) -> bytes:
    """Stand for `bytes`, which protocol 2 calls for the empty value only."""
    if arguments:
        raise pickle.UnpicklingError("bytes with arguments")
    return b""


_ALLOWED: Final[dict[tuple[str, str], Callable[..., object]]] = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): PickledArray,
    ("numpy", "dtype"): _PickledDtype,
    ("_codecs", "encode"): _encode,
    ("builtins", "bytes"): _empty_bytes,
    ("__builtin__", "bytes"): _empty_bytes,
}


class _Refused(pickle.UnpicklingError):
    """A name outside the list."""


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Callable[..., object]:
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            raise _Refused(f"{module_name}.{global_name}") from None

    def persistent_load(self, _pid: object) -> object:
        raise _Refused("a persistent object")


def restricted_loads(pickled: bytes, where: str) -> object:
    """Unpickle plain values; arrays come back as `PickledArray`.

    Raises:
        DataError: the pickle is damaged or asks for anything else; `where` starts the sentence.
    """
    try:
        # encoding="bytes": strings written by Python 2 stay bytes, as array data must.
        return _RestrictedUnpickler(io.BytesIO(pickled), encoding="bytes").load()
    except _Refused as error:
        raise DataError(
            f"{where} asks to load {error}, which image data has no need of: do not trust it"
        ) from error
    except Exception as error:  # a hostile pickle can provoke any exception in the stand-ins or the unpickler
        raise DataError(f"{where} is no readable pickle ({error}): fetch the archive again") from error
