"""DVC's side of a repository: its configuration, ignore files, layout and lock, without importing dvc."""
