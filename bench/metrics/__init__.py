"""What is measured of a model besides time, one kind a file. Each gives facts; none keeps state."""
