"""The index of what is on disk, and the custody records; SQLAlchemy lives here alone."""
