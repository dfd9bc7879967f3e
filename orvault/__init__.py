"""The pure core of OR Vault: no Ray, no web framework."""
