"""git, asked through plain `git` processes; `door` is the only module that starts one."""
