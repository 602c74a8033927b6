"""CPV, checkpoints versioning: models, data and metrics in one git history."""

__version__ = "0.1.0"
