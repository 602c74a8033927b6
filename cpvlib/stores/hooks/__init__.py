"""Hooks: the shell scripts that git runs for CPV, and the files they are installed as."""
