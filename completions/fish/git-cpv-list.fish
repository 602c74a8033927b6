complete -c git-cpv-list -w 'git-cpv list'
