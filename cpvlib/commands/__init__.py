"""Floor 5: what each `git cpv X` takes and does, one record a module."""
