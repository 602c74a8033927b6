complete -c git-cpv-push -w 'git-cpv push'
