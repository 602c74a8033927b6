complete -c git-cpv-track -w 'git-cpv track'
