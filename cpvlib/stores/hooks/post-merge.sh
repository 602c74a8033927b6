run_before "$@"
code=$?
is_again && exit $code
[ -z "$CPV_IN_HOOK" ] && [ "$1" = 0 ] || exit $code
in_rebase && exit $code

moved=$(git diff-tree -r --name-only ORIG_HEAD HEAD -- '*.dvc' 2>/dev/null)
[ -n "$moved" ] || exit $code

find_launcher && "$launcher" hooks run post-merge
exit $code
