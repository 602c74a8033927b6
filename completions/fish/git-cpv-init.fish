complete -c git-cpv-init -w 'git-cpv init'
