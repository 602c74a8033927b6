complete -c git-cpv-diff -w 'git-cpv diff'
