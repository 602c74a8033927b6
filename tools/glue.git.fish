# Read when fish starts: how git's completion finds git-cpv's. fish 3.6 looks for 'git-git-cpv' by itself.

function _cpv_complete_git
    set -l typed (commandline -opc)
    set -l at (contains -i -- cpv $typed)
    set -l words git-cpv
    if test (count $typed) -gt $at
        set -a words (string escape -- $typed[(math $at + 1)..-1])
    end
    complete -C (string join ' ' -- $words (commandline -ct))
end

complete -c git -n __fish_git_needs_command -a cpv -d 'Version the checkpoints of models'
complete -c git -f -n '__fish_git_using_command cpv' -a '(_cpv_complete_git)'
