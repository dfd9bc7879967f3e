"""The invisible mark: which copy of a video this is, readable from a leak (docs/format/mark-v1.md)."""
