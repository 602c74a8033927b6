"""Floor 0: what every other floor may use: errors and the shape of progress."""
