complete -c git-cpv-setup -w 'git-cpv setup'
