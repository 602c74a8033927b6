"""track and untrack: which paths are outs."""

from __future__ import annotations

import json

import pytest

from shell import Shell


@pytest.fixture
def repo(shell: Shell) -> Shell:
    """A CPV repository with code in git, a model and data beside it, and unfinished work."""
    shell.git("init", "-q")
    shell.write("train.py", "print('training')\n")
    shell.write("notes/readme.md", "notes\n")
    shell.write(".gitignore", "*.pyc\n")
    shell.git("add", ".")
    shell.git("commit", "-q", "-m", "Train")
    shell.ok("git cpv init --team T --model m")
    shell.write("model.bin", b"weights")
    shell.write("shards/part 1.bin", b"1")
    shell.write("data/train/a.csv", b"a")
    shell.write(".gitignore", "*.pyc\nunfinished\n")
    shell.write("train.py", "print('staged')\n")
    shell.git("add", "train.py")
    return shell


def committed(repo: Shell) -> list[str]:
    return repo.git("show", "--format=%s", "--name-only").split("\n")


def test_a_model_is_tracked_in_one_commit_of_its_own(repo: Shell) -> None:
    assert repo.ok("git cpv track model.bin") == "tracking 'model.bin' as model"
    assert committed(repo) == ["Track model.bin", "", ".cpvconfig", ".gitignore"]
    assert repo.git("show", "HEAD:.gitignore") == "*.pyc\n/model.bin"
    assert repo.read(".gitignore") == "*.pyc\nunfinished\n/model.bin\n"
    assert repo.read(".cpvconfig").endswith('[cpv "model"]\n\tout = model.bin\n')
    assert repo.git("diff", "--cached", "--name-only") == "train.py"
    assert repo.files()["model.bin"] == b"weights"


def test_data_and_several_paths_from_a_subfolder(repo: Shell) -> None:
    said = repo.at("notes").ok("git cpv track --data ../data/ ../shards")
    assert said == "tracking 'data' as data\ntracking 'shards' as data"
    assert committed(repo)[0] == "Track 2 outs"
    assert repo.git("config", "-f", ".cpvconfig", "--get-all", "cpv.data.out") == "data\nshards"


def test_a_thousand_outs_of_one_folder(repo: Shell) -> None:
    """More than edits that lie inside each other can be: Python calls a thousand deep at most."""
    for number in range(1100):
        repo.write(f"shards/{number}.bin", f"{number}")
    before = repo.read(".cpvconfig")
    repo.ok("git cpv track -q shards/*.bin")
    assert committed(repo)[0] == "Track 1,101 outs"
    assert repo.git("status", "--short", "--", "shards") == ""
    assert repo.read("shards/.gitignore").count("\n") == 1101
    repo.ok("git cpv untrack -q shards/*.bin")
    assert repo.read(".cpvconfig") == before
    assert not (repo.cwd / "shards/.gitignore").exists()


def test_tracking_again_changes_nothing(repo: Shell) -> None:
    repo.ok("git cpv track model.bin")
    head = repo.git("rev-parse", "HEAD")
    again = repo.run("git cpv track model.bin")
    assert (again.code, again.out, again.err) == (0, "", "'model.bin' is tracked already\n")
    assert repo.git("rev-parse", "HEAD") == head


def test_an_out_moves_to_the_other_series(repo: Shell) -> None:
    repo.ok("git cpv track shards model.bin")
    assert repo.ok("git cpv track --data shards") == "tracking 'shards' as data"
    assert repo.git("config", "-f", ".cpvconfig", "--get-all", "cpv.model.out") == "model.bin"
    assert repo.git("config", "-f", ".cpvconfig", "--get-all", "cpv.data.out") == "shards"


def test_a_path_may_come_later(repo: Shell) -> None:
    said = repo.run("git cpv track later/model.pt")
    assert said.out == "tracking 'later/model.pt' as model\n"
    assert said.err == "there is no 'later/model.pt' yet; git cpv push takes it when it is there\n"
    assert repo.read("later/.gitignore") == "/model.pt\n"


def test_what_git_holds_is_not_taken_from_it(repo: Shell) -> None:
    assert repo.fails("git cpv track notes train.py model.bin") == (
        "error: git holds 'notes/readme.md' and 'train.py' already\n"
        "hint: git rm -r -q --cached -- notes train.py && git commit -m 'Leave them to CPV', "
        "then track again; the files stay"
    )
    repo.ok("git rm -r -q --cached -- notes && git commit -q -m 'Leave them to CPV'")
    assert repo.ok("git cpv track notes") == "tracking 'notes' as model"
    assert repo.read("notes/readme.md") == "notes\n"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (".", "the whole repository can't be an out"),
        ("..", "'..' is outside of the repository"),
        ("/etc/passwd", "'/etc/passwd' is outside of the repository"),
        ("../work2/x", "'../work2/x' is outside of the repository"),
        (".git", "the out '.git' is inside git's own folder"),
        (".git/hooks", "the out '.git/hooks' is inside git's own folder"),
        (".dvc/cache", "the out '.dvc/cache' is inside DVC's own folder"),
        ("metrics.log", "'metrics.log' is the history of the metrics, and an out always"),
        ("checkpoint.json", "'checkpoint.json' belongs in git"),
        (".cpvconfig", "'.cpvconfig' belongs in git"),
        ("pipe", "'pipe' is neither a file nor a folder"),
        ("dangling", "'dangling' is a symbolic link to nothing"),
        ("link/x.bin", "'link/x.bin' lies beyond a symbolic link"),
    ],
)
def test_paths_that_can_be_no_out(repo: Shell, path: str, reason: str) -> None:
    repo.ok("mkfifo pipe; ln -s nowhere dangling; ln -s shards link")
    head = repo.git("rev-parse", "HEAD")
    assert repo.fails(["git-cpv-track", "--", path]).startswith(f"error: {reason}")
    assert repo.git("rev-parse", "HEAD") == head


def test_outs_do_not_nest(repo: Shell) -> None:
    repo.ok("git cpv track data")
    assert repo.fails("git cpv track data/train") == (
        "error: 'data/train' lies inside 'data', and one out can't hold another\n"
        "hint: track only one; git cpv untrack 'data' frees the other"
    )
    assert "lies inside 'shards'" in repo.fails("git cpv track 'shards/part 1.bin' shards")


def test_files_of_a_folder_are_left_out(repo: Shell) -> None:
    repo.ok("git cpv track shards --exclude 'optimizer*' --exclude logs/")
    assert repo.read(".dvcignore").splitlines()[3:] == ["/shards/**/optimizer*", "/shards/**/logs/"]
    assert repo.fails("git cpv track shards --exclude 'x[z-a]'", code=129) == (
        "error: 'x[z-a]' is not a pattern that leaves files out\nhint: see 'git cpv track -h'"
    )
    assert repo.fails("git cpv track model.bin --exclude 'x'", code=129) == (
        "error: --exclude leaves out files of a folder, and 'model.bin' is a file\n"
        "hint: see 'git cpv track -h'"
    )


@pytest.mark.parametrize("name", ["a b.bin", "größe.bin", "#x", "!y", "[z].bin", "-n.bin", "q*", "tail "])
def test_awkward_names_stay_out_of_git(repo: Shell, name: str) -> None:
    repo.write(name, b"x")
    repo.ok(["git-cpv-track", "--", name])
    assert repo.git("status", "--porcelain", "-z", "--", f":(literal){name}") == ""
    repo.ok(["git-cpv-untrack", "--", name])
    assert repo.git("status", "--porcelain", "-z", "--", f":(literal){name}") == f"?? {name}\0"


def test_dry_run_and_json(repo: Shell) -> None:
    head, files = repo.git("rev-parse", "HEAD"), repo.files()
    assert repo.ok("git cpv track -n model.bin") == "would track 'model.bin' as model"
    assert (repo.git("rev-parse", "HEAD"), repo.files()) == (head, files)
    told = json.loads(repo.ok("git cpv track --json model.bin"))
    assert told == {
        "schema": 1,
        "outs": {"model.bin": "model"},
        "unchanged": [],
        "absent": [],
        "commit": repo.git("rev-parse", "HEAD"),
    }


def test_no_commit_stages(repo: Shell) -> None:
    repo.ok("git cpv track --no-commit model.bin")
    assert repo.git("diff", "--cached", "--name-only").split() == [".cpvconfig", ".gitignore", "train.py"]
    assert "unfinished" not in repo.git("show", ":.gitignore")


def test_untrack_leaves_the_file_and_takes_the_rest(repo: Shell) -> None:
    repo.ok("git cpv track model.bin && git cpv push -m first")
    repo.git("reset", "-q", "--hard")
    assert repo.ok("git cpv untrack model.bin.dvc") == "stopped tracking 'model.bin'; the file stays"
    assert committed(repo) == ["Untrack model.bin", "", ".cpvconfig", ".gitignore", "model.bin.dvc"]
    assert repo.files()["model.bin"] == b"weights"
    assert repo.git("status", "--porcelain", "model.bin") == "?? model.bin"
    assert (
        repo.fails("git cpv untrack model.bin")
        == "error: 'model.bin' is not an out\nhint: the outs are 'metrics.log'"
    )


def test_a_pointer_with_several_outs_is_left_to_dvc(repo: Shell) -> None:
    row = "- md5: 57888f54f76e6b1ece3e091f2fc4b943\n  size: 3\n  hash: md5\n  path: "
    repo.write("both.dvc", f"outs:\n{row}one\n{row}two\n")
    repo.ok("git add both.dvc && git commit -q -m 'Track with DVC'")
    assert repo.fails("git cpv untrack one") == (
        "error: the pointer 'both.dvc' names 'two' as well\n"
        "hint: split it by hand, or remove all of it: dvc remove"
    )


def test_outside_of_a_cpv_repository(shell: Shell) -> None:
    assert (
        shell.fails("git cpv track x")
        == f"error: '{shell.cwd}' is not in a git repository\nhint: git cpv init"
    )
    shell.git("init", "-q")
    assert shell.fails("git cpv track x").endswith("hint: git cpv init")
    assert shell.run("git cpv track").code == 129
