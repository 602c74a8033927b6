complete -c git-cpv-status -w 'git-cpv status'
