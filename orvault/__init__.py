"""The pure core of OR Vault: no Ray, no web framework."""

__version__ = "0.1.0"  # the one place: the build reads it too, and a checkout has no package metadata
