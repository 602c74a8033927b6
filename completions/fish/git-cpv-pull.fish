complete -c git-cpv-pull -w 'git-cpv pull'
