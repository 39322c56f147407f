"""Measurements. Each file is one subject; `bench/README.md` is the protocol."""
