"""Where objects live: one small protocol, and the kinds of storage that keep it."""
