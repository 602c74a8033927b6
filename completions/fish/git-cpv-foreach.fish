complete -c git-cpv-foreach -w 'git-cpv foreach'
