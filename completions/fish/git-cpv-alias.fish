complete -c git-cpv-alias -w 'git-cpv alias'
