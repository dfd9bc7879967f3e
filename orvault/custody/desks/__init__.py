"""The use cases of custody, one module per desk; `CustodyService` is all of them together."""
