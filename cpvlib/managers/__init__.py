"""Floor 3: whole operations, composed from stores. They plan, then act, and never print."""
