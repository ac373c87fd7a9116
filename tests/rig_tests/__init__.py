"""Tests of the rig itself; python3 -m unittest runs them."""
