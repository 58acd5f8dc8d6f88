"""Puts this folder on the path of the tests below it, which share ``claims.py``: pytest does so for
the folder of every conftest.
"""
