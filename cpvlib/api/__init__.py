"""The Python API, beside the command line: what the commands do, for scripts, notebooks and training loops.

Import it from `cpvlib`. Nothing here prints unless `verbose` asks for it, and nothing of the process is
changed: neither its working folder nor its environment, signal handlers or logging. Each call opens the
repository anew and closes it, so that objects may be shared between threads; what changes a repository holds
`.git/cpv/lock`, so that threads and processes take turns.
"""
