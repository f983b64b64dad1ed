"""Builds and runs the generated C: on the host, and on emulated boards."""
