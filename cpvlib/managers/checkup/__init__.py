"""The checks of `git cpv doctor`, a module for each side that CPV has to do with."""
