complete -c git-cpv-revert -w 'git-cpv revert'
