"""TensorFlow Lite: reader (float32 and int8) and writer (int8)."""

from octavo.formats.tflite.read import load_tflite, read_tflite
from octavo.formats.tflite.write import write_tflite

__all__ = ["load_tflite", "read_tflite", "write_tflite"]
