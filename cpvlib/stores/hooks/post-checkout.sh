run_before "$@"
code=$?
is_again && exit $code
[ -z "$CPV_IN_HOOK" ] && [ "$3" = 1 ] && [ "$1" != "$2" ] || exit $code
in_rebase && exit $code

case $1 in
*[!0]*) moved=$(git diff-tree -r --name-only "$1" "$2" -- '*.dvc' 2>/dev/null) ;;
*) moved=$(git rev-list -1 "$2" -- '*.dvc' 2>/dev/null) ;;
esac
[ -n "$moved" ] || exit $code

find_launcher && "$launcher" hooks run post-checkout
exit $code
