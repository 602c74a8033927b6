"""Floor 1: the rules, pure. Nothing here reads a file, starts a process or asks the clock."""
