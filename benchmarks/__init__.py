"""Measured ratios against named peers; each module prints one JSON line."""
