"""A corpus of functions with right and wrong gradients, and checkers that judge it."""
