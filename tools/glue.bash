
# What shells and git call.

_cpv_aliases ()
{
	git for-each-ref --format='%(refname:lstrip=-2)' 'refs/tags/**/*alias/*/*' 2>/dev/null | sed 's|/.*||' | sort -u
}

_cpv_complete_version ()
{
	compgen -W "latest $(git for-each-ref --format='%(refname:lstrip=-1)' 'refs/tags/**/*v[0-9]*.[0-9]*' 2>/dev/null) $(_cpv_aliases)" -- "$1"
}

_cpv_complete_alias ()
{
	compgen -W "$(_cpv_aliases)" -- "$1"
}

_cpv_complete_branch ()
{
	compgen -W "$(git for-each-ref --format='%(refname:lstrip=2)' refs/heads 2>/dev/null)" -- "$1"
}

_cpv_complete_remote ()
{
	compgen -W "$(git remote 2>/dev/null)" -- "$1"
}

_cpv_complete_out ()
{
	local IFS=$'\n'
	compgen -W "$(git ls-files -- '*.dvc' 2>/dev/null | sed 's/\.dvc$//')" -- "$1"
}

# The words up to the cursor, 'git-cpv' first; '--option=value' counts as two.
_cpv_words ()
{
	local word COMP_CWORD
	local -a COMP_WORDS=()
	for word; do
		case $word in
		--*=*) COMP_WORDS+=("${word%%=*}" "${word#*=}") ;;
		*) COMP_WORDS+=("$word") ;;
		esac
	done
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	_shtab_git_cpv
}

# git's own completion calls this for 'git cpv …'; words, cword and __git_cmd_idx are its.
_git_cpv ()
{
	compopt +o nospace 2>/dev/null
	_cpv_words git-cpv "${words[@]:__git_cmd_idx+1:cword-__git_cmd_idx}"
}

_cpv_program ()
{
	local word
	local -a typed=(git-cpv)
	case ${COMP_WORDS[0]##*/} in
	git-cpv-*) typed+=("${COMP_WORDS[0]##*/git-cpv-}") ;;
	esac
	[[ ${typed[1]} == git-cpv-* ]] && typed[1]=${typed[1]#git-cpv-}
	for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
		# bash hands '--option=value' over in three words.
		[[ $word == = ]] || typed+=("$word")
	done
	[[ ${COMP_WORDS[COMP_CWORD]} == = ]] && typed+=('')
	_cpv_words "${typed[@]}"
}

complete -o bashdefault -F _cpv_program git-cpv @PROGRAMS@
