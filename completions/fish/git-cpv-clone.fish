complete -c git-cpv-clone -w 'git-cpv clone'
