complete -c git-cpv-untrack -w 'git-cpv untrack'
