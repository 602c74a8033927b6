complete -c git-cpv-verify -w 'git-cpv verify'
