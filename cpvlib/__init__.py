"""CPV, checkpoints versioning: models, data and metrics in one git history."""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it; typing itself would be most of what `import cpvlib` costs

if TYPE_CHECKING:
    from cpvlib.api.artifacts import DataArtifacts as DataArtifacts
    from cpvlib.api.artifacts import ModelArtifacts as ModelArtifacts
    from cpvlib.api.combined import CombinedCheckpointsManage as CombinedCheckpointsManage
    from cpvlib.api.config import Checks as Checks
    from cpvlib.api.config import CPVConfig as CPVConfig
    from cpvlib.api.data import DataCheckpointsManage as DataCheckpointsManage
    from cpvlib.api.models import ModelsCheckpointsManage as ModelsCheckpointsManage
    from cpvlib.api.run import Run as Run
    from cpvlib.api.run import run as run
    from cpvlib.base.errors import CheckpointNotFoundError as CheckpointNotFoundError
    from cpvlib.base.errors import ConfigError as ConfigError
    from cpvlib.base.errors import CPVError as CPVError
    from cpvlib.base.errors import CredentialError as CredentialError
    from cpvlib.base.errors import GitError as GitError
    from cpvlib.base.errors import NegativeAnswer as NegativeAnswer
    from cpvlib.base.errors import OptionError as OptionError
    from cpvlib.base.errors import RepositoryError as RepositoryError
    from cpvlib.base.errors import StorageError as StorageError
    from cpvlib.base.errors import UsageError as UsageError

__version__ = "0.1.0"

_HOMES = {
    "CPVConfig": "cpvlib.api.config",
    "Checks": "cpvlib.api.config",
    "CombinedCheckpointsManage": "cpvlib.api.combined",
    "DataArtifacts": "cpvlib.api.artifacts",
    "DataCheckpointsManage": "cpvlib.api.data",
    "ModelArtifacts": "cpvlib.api.artifacts",
    "ModelsCheckpointsManage": "cpvlib.api.models",
    "Run": "cpvlib.api.run",
    "run": "cpvlib.api.run",
    **dict.fromkeys(
        (
            "CPVError",
            "CheckpointNotFoundError",
            "ConfigError",
            "CredentialError",
            "GitError",
            "NegativeAnswer",
            "OptionError",
            "RepositoryError",
            "StorageError",
            "UsageError",
        ),
        "cpvlib.base.errors",
    ),
}

__all__ = [
    "__version__",
    *_HOMES,
]


def __getattr__(name: str) -> object:
    """Each name is loaded when it is first asked for (PEP 562): `import cpvlib` alone loads none of it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'cpvlib' has no attribute '{name}'")
    from importlib import import_module

    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
