refs=
while IFS= read -r line || [ -n "$line" ]; do
    refs="$refs$line
"
done

give_refs() {
    printf %s "$refs" 2>/dev/null
}

# Whether git would publish a commit that touches a pointer, or a tag of a history with pointers.
publishes_pointers() {
    while IFS= read -r line; do
        there=${line##* } line=${line% *}
        ref=${line##* } line=${line% *}
        here_oid=${line##* }
        case $here_oid in *[!0]*) ;; *) continue ;; esac
        case $there in *[!0]*) ;; *) there= ;; esac
        case $ref in
        refs/tags/*) found=$(git rev-list -1 "$here_oid" -- '*.dvc') ;;
        *) found=$(git rev-list -1 --full-history --ignore-missing "$here_oid" --not "--remotes=$1" $there -- '*.dvc') ;;
        esac
        [ -z "$found" ] || return 0
    done
    return 1
}

give_refs | run_before "$@" || exit $?
is_again && exit 0
[ -z "$CPV_IN_HOOK" ] || exit 0

if find_launcher; then
    top=$(git rev-parse --show-toplevel) && cd "$top" || exit 1  # git --work-tree may be used from anywhere
    give_refs | "$launcher" hooks run pre-push -- "$@"
    exit $?
fi
give_refs | publishes_pointers "$1" || exit 0

case $here in /*) ;; *) here=$PWD/$here before=$PWD/$before ;; esac
if [ -e "$before" ]; then remove="mv -f '$before' '$here/$name'"; else remove="rm -f '$here/$name'"; fi
echo "error: this push publishes pointers, and git-cpv, which sees to it that storage has their objects, is gone" >&2
echo "hint: install it again, or remove this hook: $remove" >&2
exit 1
