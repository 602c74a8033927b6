"""Floor 4: how every command behaves: its record, its options, its output, its one `error:` line."""
