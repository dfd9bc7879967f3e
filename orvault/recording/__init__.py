"""What is being recorded now, and how a segment reaches the disk."""
