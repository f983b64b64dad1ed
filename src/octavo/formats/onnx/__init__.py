"""ONNX: reads float models, writes them, and quantized ones in QDQ form."""

from octavo.formats.onnx.reader import read_onnx
from octavo.formats.onnx.writer import write_onnx, write_onnx_qdq

__all__ = ["read_onnx", "write_onnx", "write_onnx_qdq"]
