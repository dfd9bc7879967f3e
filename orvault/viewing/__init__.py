"""What viewers see: the pictures of a view made on the server, live and stored, and the switch between them."""
