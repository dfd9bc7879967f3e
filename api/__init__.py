"""The export server's HTTP face."""
