_cpv_aliases () {
  git for-each-ref --format='%(refname:lstrip=-2)' 'refs/tags/**/*alias/*/*' 2>/dev/null | sed 's|/.*||' | sort -u
}

_cpv_complete_alias () {
  local -a aliases
  aliases=(${(f)"$(_cpv_aliases)"})
  _wanted aliases expl alias compadd "$@" -a aliases
}

_cpv_complete_version () {
  local -a versions
  versions=(latest ${(f)"$(git for-each-ref --sort=-v:refname --format='%(refname:lstrip=-1)' 'refs/tags/**/*v[0-9]*.[0-9]*' 2>/dev/null)"} ${(f)"$(_cpv_aliases)"})
  _wanted -V versions expl version compadd "$@" -a versions
}

_cpv_complete_branch () {
  local -a branches
  branches=(${(f)"$(git for-each-ref --format='%(refname:lstrip=2)' refs/heads 2>/dev/null)"})
  _wanted branches expl branch compadd "$@" -a branches
}

_cpv_complete_remote () {
  local -a remotes
  remotes=(${(f)"$(git remote 2>/dev/null)"})
  _wanted remotes expl 'git remote' compadd "$@" -a remotes
}

_cpv_complete_out () {
  local -a outs
  outs=(${${(f)"$(git ls-files -- '*.dvc' 2>/dev/null)"}%.dvc})
  _wanted outs expl out compadd "$@" -a outs
}

# 'git-cpv-push …' is 'git-cpv push …'.
if [[ $words[1] == (*/|)git-cpv-* ]]; then
  words=(git-cpv ${words[1]##*/git-cpv-} "${(@)words[2,-1]}")
  words[2]=${words[2]#git-cpv-}
  (( CURRENT += 1 ))
fi
