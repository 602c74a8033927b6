complete -c git-cpv-doctor -w 'git-cpv doctor'
