"""Packets, GOPs and frames."""
