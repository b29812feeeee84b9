"""How many documents are read at once: bytes of a block in, what is surely valid out. For speed alone."""
