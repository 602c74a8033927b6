complete -c git-cpv-hooks -w 'git-cpv hooks'
