run_before "$@"
code=$?
is_again && exit $code
[ -z "$CPV_IN_HOOK" ] || exit $code

# Only what a person committed anew is named.
case $(git log -g -1 --no-show-signature --format=%gs 2>/dev/null) in
'commit: fixup! '* | 'commit: squash! '* | 'commit: amend! '*) exit $code ;;
'commit: Revert "'* | 'commit: Reapply "'*) exit $code ;;
'commit: '* | 'commit (initial): '* | 'commit (merge): '*) ;;
*) exit $code ;;
esac

moved() {
    [ -n "$(git diff-tree --root -r -m --no-commit-id --name-only HEAD -- "$@" checkpoint.json 2>/dev/null)" ]
}

moved '*.dvc' || exit $code
case ${CPV_AUTOTAG:-$(git config cpv.autotag || git config -f .cpvconfig cpv.autotag)} in '' | off) exit $code ;; esac
in_rebase && exit $code

# Where each part of the model has a pointer of its own, those tell; else any may.
set -- .cpvconfig
while IFS= read -r out; do
    if [ -f "$out.dvc" ]; then set -- "$@" ":(literal)$out.dvc"; else set -- '*.dvc' && break; fi
done <<END
$(git config -f .cpvconfig --get-all cpv.model.out)
END
moved "$@" || exit $code

find_launcher && "$launcher" hooks run post-commit
exit $code
