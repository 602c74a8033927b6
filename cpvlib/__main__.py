"""`python -m cpvlib push …` is `git cpv push …`."""

from __future__ import annotations

import sys

from cpvlib.cli.main import main

sys.argv[0] = "git-cpv"
main()
