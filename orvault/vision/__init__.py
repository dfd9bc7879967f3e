"""Finding people in a frame and covering them."""
