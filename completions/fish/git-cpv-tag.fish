complete -c git-cpv-tag -w 'git-cpv tag'
