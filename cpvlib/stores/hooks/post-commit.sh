run_before "$@"
code=$?
is_again && exit $code
[ -z "$CPV_IN_HOOK" ] || exit $code

# Only what a person committed anew is named, and only where a pointer moved.
case $(git log -g -1 --no-show-signature --format=%gs 2>/dev/null) in
'commit: fixup! '* | 'commit: squash! '* | 'commit: amend! '*) exit $code ;;
'commit: Revert "'* | 'commit: Reapply "'*) exit $code ;;
'commit: '* | 'commit (initial): '* | 'commit (merge): '*) ;;
*) exit $code ;;
esac
moved=$(git diff-tree --root -r -m --no-commit-id --name-only HEAD -- '*.dvc' checkpoint.json 2>/dev/null)
[ -n "$moved" ] || exit $code
in_rebase && exit $code

find_launcher && "$launcher" hooks run post-commit
exit $code
