"""What is written to disk and handed out: streams, segments, packages, keys, trust."""
