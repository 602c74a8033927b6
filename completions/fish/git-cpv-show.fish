complete -c git-cpv-show -w 'git-cpv show'
