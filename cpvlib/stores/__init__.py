"""Floor 2: the outside world, one door for each counterpart: git, DVC's files, the cache, storage."""
