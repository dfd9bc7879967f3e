"""The API's routes, one module per subject; each names its right through `guard`."""
