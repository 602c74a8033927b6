#!/bin/sh
# Trains a real classifier several times and takes it down the whole road, in a folder of its own, with a home of its
# own: no account, no network. Prints every command as you would type it, and what the command really says.
#
# usage: demo.sh [FOLDER]    (without FOLDER: a temporary one, removed at the end)
#
# git-cpv and a python with numpy and safetensors must be on PATH; 'make demo' sees to both.
set -eu

examples=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

if [ $# -gt 0 ]; then
    mkdir -p -- "$1"
    demo=$(CDPATH='' cd -- "$1" && pwd -P)
    [ -z "$(ls -A -- "$demo")" ] || { echo "demo.sh: '$1' is not empty" >&2; exit 129; }
else
    demo=$(mktemp -d "${TMPDIR:-/tmp}/cpv-demo.XXXXXX")
    demo=$(CDPATH='' cd -- "$demo" && pwd -P)
    trap 'chmod -R u+w -- "$demo"; rm -rf -- "$demo"' EXIT
    trap 'exit 130' INT TERM
fi

# Nothing of the caller's own settings has a say.
for name in $(env | sed -n 's/^\(CPV_[A-Z_]*\|GIT_[A-Z_]*\|XDG_[A-Z_]*\|AWS_[A-Z_]*\)=.*/\1/p'); do
    unset "$name"
done
export HOME="$demo/home" GIT_CONFIG_NOSYSTEM=1
mkdir "$HOME"
git config --global user.name 'Ada Lovelace'
git config --global user.email ada@example.org
git config --global init.defaultBranch main
git config --global core.pager cat
git config --global advice.detachedHead false

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); else bold='' plain=''; fi

say() {
    printf '\n'
    printf '# %s\n' "$@"
}

run() { # one command line, typed in the demo's own shell; it must succeed
    printf '%s$ %s%s\n' "$bold" "$1" "$plain"
    eval "$1"
}

run_no() { # one that answers no: exit code 1
    printf '%s$ %s%s\n' "$bold" "$1" "$plain"
    code=0
    eval "$1" || code=$?
    [ "$code" -eq 1 ] || { echo "demo.sh: '$1' ended with $code instead of 1" >&2; exit 1; }
}

cp -R "$examples/digits" "$HOME/digits"
cd "$HOME"

say 'A training repository as it may stand on any machine: code in git, data and model beside it.'
run 'cd ~/digits && ls'
run 'git init --quiet && git add . && git commit --quiet -m "Train a classifier of handwritten digits"'
run 'python prepare.py'
run 'python train.py'

say 'CPV adopts it. Storage is a folder of this machine until you say otherwise.' \
    'A bare git repository in a folder stands in for the one you share.'
run 'git init --quiet --bare ~/shared/digits.git'
run 'git cpv init --team Vision --model digits --remote ~/shared/digits.git'
run 'git cpv track model.bin'
run 'git cpv track --data data'
run 'git cpv status'

say 'The first checkpoint: the model, the data, what was measured and with which parameters.'
run 'git cpv push -m "Softmax regression" --params params.json'
run 'git cpv tag --combined -m "The baseline"'

say 'A better one, with a hidden layer.'
run 'python train.py --hidden 64 --epochs 20'
run 'git cpv status'
run 'git cpv push -m "One hidden layer" --params params.json'
run 'git cpv tag -m "One hidden layer"'
run 'git cpv diff v0.1 v0.2'

say 'More data, and the same network on it.'
run 'python prepare.py --shift'
run 'python train.py --hidden 64 --epochs 20'
run 'git cpv push -m "Add shifted images" --params params.json'
run 'git cpv tag --combined -m "Shifted images"'

say 'A step too far: the learning rate is much too high.'
run 'python train.py --hidden 64 --epochs 20 --rate 0.3'
run 'git cpv push -m "Learn faster" --params params.json'
run 'git cpv tag -m "Learn faster"'
run 'git cpv diff v0.3 v0.4'

say 'Every version, of the model and of the data; and the best one.'
run 'git cpv list'
run 'git cpv list --best loss'
run 'git cpv show v0.3'

say 'Back to it, as a new commit: nothing is lost, and history stays in one line.'
run 'git cpv revert v0.3'
run 'python evaluate.py'
run_no 'git cpv tag'
run 'git cpv push'
run 'git log --oneline'

say 'Somebody else clones it: code, model, data and versions arrive together.'
run 'git cpv clone ~/shared/digits.git ~/colleague/digits'
run 'cd ~/colleague/digits && ls'
run 'git cpv list -n 3'
run 'python evaluate.py'

say 'The next checkpoint reaches them by a pull.'
run 'cd ~/digits'
run 'python train.py --hidden 128 --epochs 30'
run 'git cpv push -m "A wider layer" --params params.json'
run 'git cpv tag --push'
run 'cd ~/colleague/digits'
run 'git cpv pull'
run 'python evaluate.py'

say 'An old version beside the new one; the worktree stays as it is.'
run 'git cpv pull v0.1 --output ~/colleague/baseline'
run 'python evaluate.py ~/colleague/baseline/model.bin'
run 'git cpv status'

say 'That was the whole road. The same commands work in your own repository:' \
    '  git cpv init --team TEAM --model MODEL'
