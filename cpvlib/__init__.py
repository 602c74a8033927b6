"""CPV, checkpoints versioning: models, data and metrics in one git history."""
