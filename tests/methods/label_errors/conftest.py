"""Bits are promised on one thread."""
