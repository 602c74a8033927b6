#!/bin/sh
# Made by git cpv hooks install. git cpv hooks uninstall takes it away, and puts back what was here before.
name=@NAME@
launcher=@LAUNCHER@
case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
before=$here/before-cpv/$name

# The hook that was here goes first, by the path it had: husky and pre-commit look at their $0.
run_before() {
    [ -x "$before" ] || return 0
    IFS= read -r first <"$before"
    case $first in
    '#!/bin/sh' | '#!/usr/bin/env sh') shell=/bin/sh ;;
    '#!/bin/bash' | '#!/usr/bin/env bash') shell=bash ;;
    *) CPV_CHAINED=$name "$before" "$@"; return ;;
    esac
    CPV_CHAINED=$name "$shell" -c '. "${0%/*}/before-cpv/${0##*/}"' "$here/$name" "$@"
}

# Some run what they find at their $0 once more. That is this file now, and they mean their own.
is_again() {
    [ "$CPV_CHAINED" = "$name" ]
}

find_launcher() {
    [ -x "$launcher" ] || launcher=$(command -v git-cpv)
}

in_rebase() {
    folder=$(git rev-parse --git-dir) && { [ -d "$folder/rebase-merge" ] || [ -d "$folder/rebase-apply" ]; }
}

