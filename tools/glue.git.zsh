#autoload
# git's own zsh completion (contrib/completion/git-completion.zsh) calls this in ksh emulation for 'git cpv …': words is
# the whole line, cword, from 0, what is being completed; CURRENT may be either's.
emulate -L zsh
setopt $_comp_options

local -i at=${words[(i)cpv]}
words=("${(@)words[at,-1]}")
(( CURRENT = cword - at + 2 ))
(( CURRENT > $#words )) && (( CURRENT = $#words ))
_git-cpv && _ret=0
