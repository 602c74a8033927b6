complete -c git-cpv-storage -w 'git-cpv storage'
