"""Runs: what to run, how one run goes, and what is kept of it.

Imports neither torch nor a track.
"""
