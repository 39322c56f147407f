"""Tables of a TensorFlow Lite file, filled through the published schema; no TensorFlow."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from kdq_ref.errors import UnsupportedError

_SCHEMA_VERSION = 3
_SCHEMAS = (
    "ai_edge_litert.schema_py_generated",
    "tflite_micro.tensorflow.lite.micro.python.schema_py_generated",
)
_TYPES = ("int8", "int16", "int32", "int64", "float32")


def load_schema() -> Any:
    """Return the module of classes that flatc generated from TensorFlow Lite's schema.

    Raises
    ------
    UnsupportedError
        If no installed package brings it, or flatbuffers is missing.
    """
    for name in _SCHEMAS:
        try:
            importlib.import_module("flatbuffers")
            return importlib.import_module(name)
        except ImportError:
            continue
    raise UnsupportedError(
        "writing a TensorFlow Lite file needs its schema; "
        "pip install flatbuffers, and ai-edge-litert or tflite-micro"
    )


class FlatbufferWriter:
    """Collects tensors, buffers and operators of one subgraph.

    Attributes
    ----------
    schema : module
        Of :func:`load_schema`.
    """

    def __init__(self) -> None:
        self.schema = load_schema()
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [self.schema.BufferT()]  # number 0 is empty by definition
        self._codes: list[tuple[str, int]] = []
        self._operators: list[Any] = []

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: str,
        scales: Any = None,
        zero_points: Any = None,
        *,
        axis: int = 0,
        data: np.ndarray | None = None,
    ) -> int:
        """Append a tensor and return its number.

        Parameters
        ----------
        name : str
        shape : tuple of int
        dtype : str
        scales, zero_points : sequence, optional
            Quantization: one of each, or one for every channel along ``axis``.
        axis : int
        data : ndarray, optional
            Makes it a constant.
        """
        if dtype not in _TYPES:
            raise UnsupportedError(
                f"tensor {name!r} is stored as {dtype}; here TensorFlow Lite stores one of "
                f"{', '.join(_TYPES)} (Network.stored_as('int8') moves 8-bit codes)"
            )
        buffer = 0
        if data is not None:
            raw = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            self._buffers.append(self.schema.BufferT(data=raw))
            buffer = len(self._buffers) - 1
        quantization = None
        if scales is not None:
            quantization = self.schema.QuantizationParametersT(
                scale=np.asarray(scales, np.float32),
                zeroPoint=np.asarray(zero_points, np.int64),
                quantizedDimension=axis,
            )
        self._tensors.append(
            self.schema.TensorT(
                shape=np.asarray(shape, np.int32),
                type=getattr(self.schema.TensorType, dtype.upper()),
                buffer=buffer,
                name=name,
                quantization=quantization,
            )
        )
        return len(self._tensors) - 1

    def constant(self, name: str, value: np.ndarray, scales: Any = None, *, axis: int = 0) -> int:
        """Append a constant, symmetric where it has scales, and return its number."""
        zeros = None if scales is None else np.zeros(len(scales), np.int64)
        return self.tensor(
            name, value.shape, value.dtype.name, scales, zeros, axis=axis, data=value
        )

    def operator(
        self,
        kind: str,
        version: int,
        inputs: list[int],
        output: int,
        options: str = "",
        **fields: Any,
    ) -> None:
        """Append an operator.

        Parameters
        ----------
        kind : str
            As in the schema's ``BuiltinOperator``.
        version : int
            That the types of its operands ask for.
        inputs : list of int
        output : int
        options : str
            Name of its table of options, filled with ``fields``.
        """
        code = (kind, version)
        if code not in self._codes:
            self._codes.append(code)
        operator = self.schema.OperatorT(
            opcodeIndex=self._codes.index(code), inputs=inputs, outputs=[output]
        )
        if options:
            operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(self.schema, f"{options}T")(**fields)
        self._operators.append(operator)

    def finish(self, inputs: list[int], outputs: list[int]) -> bytes:
        """Serialize what was collected."""
        schema = self.schema
        subgraph = schema.SubGraphT(
            tensors=self._tensors, inputs=inputs, outputs=outputs, operators=self._operators
        )
        operator_codes = []
        for kind, version in self._codes:
            code = getattr(schema.BuiltinOperator, kind)
            # The first field is for old readers, which knew codes below 128 only.
            operator_codes.append(
                schema.OperatorCodeT(min(code, 127), version=version, builtinCode=code)
            )
        model = schema.ModelT(
            version=_SCHEMA_VERSION,
            operatorCodes=operator_codes,
            subgraphs=[subgraph],
            buffers=self._buffers,
        )
        builder = importlib.import_module("flatbuffers").Builder(1 << 20)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())
