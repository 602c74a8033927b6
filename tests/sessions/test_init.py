"""init: a new repository, and one that was there before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shell import Shell

ALONE = "storage is on this machine only (to share: git cpv storage move s3://BUCKET)"
POINTER = "outs:\n- md5: 57888f54f76e6b1ece3e091f2fc4b943\n  size: 3\n  hash: md5\n  path: {name}\n"


@pytest.fixture
def training(shell: Shell) -> Shell:
    """A repository as people have them: code in git, checkpoints beside it, work going on."""
    shell.git("init", "-q")
    shell.write("src/train.py", "print('training')\n")
    shell.write(".gitignore", "checkpoints/\n")
    shell.git("add", ".")
    shell.git("commit", "-q", "-m", "Train")
    for epoch in ("epoch_11", "epoch_12"):
        shell.write(f"checkpoints/{epoch}/model-00001-of-00001.safetensors", b"w" * (2 << 20))
        shell.write(f"checkpoints/{epoch}/config.json", "{}")
    shell.write("src/train.py", "print('training more')\n")
    shell.write("staged.py", "staged = 1\n")
    shell.git("add", "staged.py")
    return shell


def test_a_new_folder_gets_a_training_that_runs(shell: Shell) -> None:
    said = shell.run("git cpv init --team AI-Convo --model faster-whisper whisper")
    assert (said.code, said.err) == (0, "")
    assert said.out == f"made 'whisper' with a training to start from; {ALONE}\n"
    new = shell.at("whisper")
    assert new.git("log", "--format=%s") == "Set up CPV for AI-Convo/faster-whisper"
    assert new.git("ls-files").split() == [
        ".cpvconfig",
        ".dvc/.gitignore",
        ".dvc/config",
        ".dvcignore",
        ".gitignore",
        "README.md",
        "train.py",
    ]
    assert sorted(new.files("data")) == ["test/points.csv", "train/points.csv", "validation/points.csv"]
    metrics = json.loads(new.ok("python3 train.py --epochs 3"))
    assert metrics["accuracy"] > 0.7
    assert json.loads(new.read("metrics.log")) == metrics
    assert new.files()["model.bin"][8:9] == b"{"
    assert new.git("status", "--porcelain") == ""


def test_other_arguments_train_another_model(shell: Shell) -> None:
    shell.ok("git cpv init new")
    new = shell.at("new")
    trained = {new.ok(f"python3 train.py --epochs {epochs}") for epochs in (1, 1, 4)}
    assert len(trained) == 2


def test_an_existing_repository_is_left_as_it_is(training: Shell) -> None:
    before = training.files()
    status = training.git("status", "--porcelain")
    said = training.run("git cpv init --team AI-Convo --model faster-whisper")
    assert (said.code, said.out) == (0, f"kept your files; {ALONE}\n")
    assert said.err == (
        "found checkpoints/epoch_12 (2 files, 2.0 MiB, the newest of 2): "
        "git cpv push --from checkpoints/epoch_12\n"
    )
    after = training.files()
    assert {path: after[path] for path in before} == before
    assert training.git("status", "--porcelain") == status
    assert training.git("show", "--format=", "--name-status").splitlines() == [
        "A\t.cpvconfig",
        "A\t.dvc/.gitignore",
        "A\t.dvc/config",
        "A\t.dvcignore",
    ]
    assert training.read(".cpvconfig") == "[cpv]\n\tteam = AI-Convo\n\tmodel = faster-whisper\n"


def test_init_again_changes_nothing(training: Shell) -> None:
    training.ok("git cpv init --team AI-Convo")
    files, head = training.files(), training.git("rev-parse", "HEAD")
    assert training.ok("git cpv init") == f"everything is set up already; {ALONE}"
    assert training.ok("cd src && git cpv init") == f"everything is set up already; {ALONE}"
    assert (training.files(), training.git("rev-parse", "HEAD")) == (files, head)


@pytest.mark.parametrize(
    "leftover", [[], ["data/train/points.csv"], [".cpvconfig", ".dvc/config", "train.py"]]
)
def test_an_interrupted_init_is_completed_by_the_next(shell: Shell, leftover: list[str]) -> None:
    shell.ok("git cpv init --team T --model m whole")
    whole = shell.at("whole")
    shell.git("init", "-q", "half")
    for path in leftover:
        shell.write(f"half/{path}", whole.files()[path])
    half = shell.at("half")
    assert half.ok("git cpv init --team T --model m").startswith(
        "made 'half' with a training to start from; "
    )
    assert half.files() == whole.files()
    assert half.git("rev-parse", "HEAD^{tree}") == whole.git("rev-parse", "HEAD^{tree}")
    assert half.git("status", "--porcelain") == ""


def test_dry_run_tells_and_changes_nothing(training: Shell) -> None:
    files, head = training.files(), training.git("rev-parse", "HEAD")
    said = training.run("git cpv init --team T --model m --storage s3://checkpoints/all -n")
    assert said.out.splitlines() == [
        "would write .cpvconfig",
        "would write .dvc/.gitignore",
        "would write .dvc/config",
        "would write .dvcignore",
        "would keep objects in s3://checkpoints/all/T/m",
    ]
    assert said.err.startswith("found checkpoints/epoch_12 ")
    assert (training.files(), training.git("rev-parse", "HEAD")) == (files, head)
    assert "would make a git repository" in training.at("..").ok("git cpv init -n elsewhere")
    assert not (training.cwd.parent / "elsewhere").exists()


def test_no_commit_stages(training: Shell) -> None:
    head = training.git("rev-parse", "HEAD")
    said = training.run("git cpv init --no-commit")
    assert "staged, and not committed: git commit\n" in said.err
    assert training.git("rev-parse", "HEAD") == head
    assert training.git("diff", "--cached", "--name-only").split() == [
        ".cpvconfig",
        ".dvc/.gitignore",
        ".dvc/config",
        ".dvcignore",
        "staged.py",
    ]


def test_json_tells_the_same(training: Shell) -> None:
    told = json.loads(training.ok("git cpv init --team T --model m --json"))
    assert told["commit"] == training.git("rev-parse", "HEAD")
    assert told["schema"] == 1
    assert (told["team"], told["model"]) == ("T", "m")
    assert told["storage"].endswith("/cpv/storage/T/m")
    assert told["proposals"] == [
        {"path": "checkpoints/epoch_12", "series": "model", "bytes": (2 << 20) + 2, "files": 2}
    ]


def test_names_that_nobody_said_are_told(training: Shell) -> None:
    said = training.run("LOGNAME='Ada Lovelace' git cpv init")
    assert "called it 'Ada-Lovelace/work' (until the first push, " in said.err
    training.ok("git cpv init --team AI-Convo")
    assert training.read(".cpvconfig") == "[cpv]\n\tteam = AI-Convo\n\tmodel = work\n"
    assert "cpv/storage/AI-Convo/work" in training.read(".dvc/config.local")


@pytest.mark.parametrize("name", ["../up", "a/b", "-x", ".hidden", "a..b", "x.git", "naïve", "", "a b"])
def test_a_name_that_can_be_no_folder_is_refused(training: Shell, name: str) -> None:
    result = training.run(["git-cpv-init", f"--model={name}"])
    if name:
        assert (result.code, result.out) == (128, "")
        assert result.err.startswith(f"error: '{name}' can't be a model name\nhint: use letters")
    else:
        assert result.code == 0


def test_an_s3_storage_is_committed_a_folder_is_not(training: Shell, tmp_path: Path) -> None:
    said = training.ok("git cpv init --team T --model m --storage s3://checkpoints/all/")
    assert said == "kept your files; storage is s3://checkpoints/all/T/m"
    assert training.git("show", "HEAD:.dvc/config").splitlines() == [
        "[core]",
        "    remote = storage",
        "['remote \"storage\"']",
        "    url = s3://checkpoints/all/T/m",
    ]
    assert not (training.cwd / ".dvc/config.local").exists()
    folder = tmp_path / "shared objects"
    assert training.ok(f"git cpv init --storage '{folder}'") == f"changed the settings; {ALONE}"
    assert training.git("show", "HEAD:.dvc/config") == ""
    assert f"url = {folder}/T/m" in training.read(".dvc/config.local")
    assert folder.is_dir()
    assert (
        training.ok("git cpv init --storage s3://other") == "changed the settings; storage is s3://other/T/m"
    )
    assert training.read(".dvc/config.local") == ""


def test_the_storage_of_stored_objects_stays(training: Shell) -> None:
    training.ok("git cpv init --team T --model m")
    training.write("model.bin", "new")
    training.write("model.bin.dvc", POINTER.format(name="model.bin"))
    kept = training.read(".dvc/config.local").split()[-1]
    assert training.fails("git cpv init --storage s3://elsewhere") == (
        "error: the storage can't change now: the repository's pointers name objects that are kept in "
        f"'{kept}'\n"
        "hint: to take them along: git cpv storage move s3://elsewhere"
    )
    assert training.fails("git cpv init --team Other") == (
        "error: this repository is 'T/m', and its stored objects are kept under that name\n"
        "hint: team and model can't change after the first push"
    )


@pytest.mark.parametrize(
    ("root", "reason"),
    [
        ("gs://bucket", "error: storage can't be kept at 'gs://' yet (option)\n"),
        (
            "s3://",
            "error: the storage is not s3://BUCKET[/PREFIX] (option)\nhint: a bucket's name has 3 to 63 ",
        ),
        (
            "s3://b/p",
            "error: the storage is not s3://BUCKET[/PREFIX] (option)\nhint: a bucket's name has 3 to ",
        ),
        (
            "s3://key:secret@bucket",
            "error: the storage is not s3://BUCKET[/PREFIX] (option)\nhint: credentials stay out of it",
        ),
        ("./inside", "would lie inside of the repository\n"),
        ("/proc/nowhere", "error: cannot make the storage '/proc/nowhere/T/m': "),
    ],
)
def test_a_storage_that_can_not_be_is_refused(training: Shell, root: str, reason: str) -> None:
    head = training.git("rev-parse", "HEAD")
    said = training.fails(f"git cpv init --team T --model m --storage {root}")
    assert reason in said + "\n"
    assert "secret" not in said
    assert training.git("rev-parse", "HEAD") == head
    assert not (training.cwd / ".cpvconfig").exists()


def test_where_the_storage_is_said_and_who_wins(training: Shell, sealed: Path) -> None:
    def planned(**env: str) -> str:
        return str(json.loads(training.ok("git cpv init --team T --model m -n --json", **env))["storage"])

    assert planned() == f"{sealed}/.local/share/cpv/storage/T/m"
    config = sealed / ".config/cpv/config.json"
    config.parent.mkdir(parents=True)
    config.write_text('{"storage": "s3://from-config-json"}')
    assert planned() == "s3://from-config-json/T/m"
    training.git("config", "--global", "cpv.storage", "s3://from-git")
    assert planned() == "s3://from-git/T/m"
    assert planned(CPV_STORAGE="s3://from-variable") == "s3://from-variable/T/m"
    assert planned(CPV_STORAGE="../folder") == f"{training.cwd.parent}/folder/T/m"


def test_pointers_of_dvc_become_outs(training: Shell) -> None:
    training.write("weights/model.pt.dvc", POINTER.format(name="model.pt"))
    training.write("data/raw.csv.dvc", POINTER.format(name="raw.csv"))
    training.write(".dvc/config", "['remote \"old\"']\n    url = s3://old/place\n[core]\n    remote = old\n")
    training.git("add", "-f", "weights", "data", ".dvc")
    training.git("commit", "-q", "-m", "Track with DVC")
    adopted = training.git("rev-parse", "HEAD")
    said = training.run("git cpv init --team T --model m")
    assert said.out == "kept your files; storage is s3://old/place\n"
    assert "its url came with the repository; before the first push: git cpv storage trust\n" in said.err
    assert said.err.splitlines()[:2] == [
        "model outs, from DVC's pointers: weights/model.pt (to move one: git cpv track --data PATH)",
        "data outs, from DVC's pointers: data/raw.csv (to move one: git cpv track --model PATH)",
    ]
    assert training.read(".cpvconfig") == (
        f"[cpv]\n\tteam = T\n\tmodel = m\n\tadopted = {adopted}\n"
        '[cpv "model"]\n\tout = weights/model.pt\n[cpv "data"]\n\tout = data/raw.csv\n'
    )
    assert training.read(".dvc/config").startswith("['remote \"old\"']")


def test_a_broken_pointer_stops_the_adoption(training: Shell) -> None:
    training.write("model.bin.dvc", "outs: [\n")
    assert training.fails("git cpv init").startswith("error: 'model.bin.dvc'")
    assert not (training.cwd / ".cpvconfig").exists()


@pytest.mark.parametrize("tag", ["v3.7", "v0.1", "data"])
def test_tags_in_use_for_code_are_refused_with_the_way_out(training: Shell, tag: str) -> None:
    training.git("tag", tag)
    said = training.fails("git cpv init")
    assert f"'{tag}'" in said
    assert said.endswith("\nhint: git cpv init --tag-prefix cpv/")
    training.ok("git cpv init --tag-prefix cpv/")
    assert "\ttagPrefix = cpv/\n" in training.read(".cpvconfig")
    assert training.ok("git cpv init") == f"everything is set up already; {ALONE}"


@pytest.mark.parametrize("tag", ["v3.7.1", "release-1", "v2", "datasets", "v01.2"])
def test_other_tags_are_no_obstacle(training: Shell, tag: str) -> None:
    training.git("tag", tag)
    training.ok("git cpv init")


def test_tags_on_checkpoints_are_no_obstacle(training: Shell) -> None:
    training.write("model.bin.dvc", POINTER.format(name="model.bin"))
    training.git("add", "model.bin.dvc")
    training.git("commit", "-q", "-m", "A model")
    training.git("tag", "v1.0")
    training.ok("git cpv init")


@pytest.mark.parametrize("prefix", ["-x", "a b", "a..b", "x~", "/x", "a//"])
def test_a_prefix_that_no_tag_can_have_is_refused(training: Shell, prefix: str) -> None:
    assert training.run(["git-cpv-init", f"--tag-prefix={prefix}"]).err.startswith(
        f"error: '{prefix}' can't begin a tag's name\n"
    )


def test_the_git_remote_is_added(training: Shell) -> None:
    training.ok("git cpv init --remote ../common.git")
    assert training.git("remote", "get-url", "origin") == "../common.git"
    training.ok("git cpv init --remote ../common.git")
    assert training.fails("git cpv init --remote ../other.git") == (
        "error: the git remote 'origin' exists already, with another URL\n"
        "hint: git remote set-url origin URL changes it"
    )


def test_a_folder_inside_a_repository_is_not_taken_for_it(training: Shell) -> None:
    assert training.fails("git cpv init src") == (
        f"error: '{training.cwd}/src' lies inside the repository '{training.cwd}'\n"
        "hint: git cpv init, without a folder, adopts that one; "
        f"to nest one: git init '{training.cwd}/src' first"
    )
    assert (
        training.fails("git cpv init src/train.py") == f"error: '{training.cwd}/src/train.py' is not a folder"
    )


def test_places_where_nothing_can_be_committed(training: Shell) -> None:
    training.git("init", "-q", "--bare", "bare.git")
    assert "is a bare repository" in training.at("bare.git").fails("git cpv init")
    training.git("checkout", "-q", "--detach")
    assert training.fails("git cpv init") == (
        "error: HEAD is detached, so that the commit would belong to no branch\nhint: git switch -c NAME"
    )
    training.git("checkout", "-q", "main")
    (training.cwd / ".git/MERGE_HEAD").write_text(training.git("rev-parse", "HEAD") + "\n")
    assert training.fails("git cpv init") == (
        "error: a merge is not finished here\nhint: finish it first, or use --no-commit"
    )


def test_the_environment_of_another_repository_is_not_obeyed(training: Shell, tmp_path: Path) -> None:
    other = tmp_path / "other"
    training.git("init", "-q", str(other))
    training.ok(
        "git cpv init", GIT_DIR=str(other / ".git"), GIT_INDEX_FILE=str(other / ".git/index"), GIT_PREFIX="x/"
    )
    assert training.git("show", "--format=", "--name-only").split()[0] == ".cpvconfig"
    assert [path.name for path in other.iterdir()] == [".git"]
    assert not (other / ".git/index").exists()


def test_a_home_that_can_not_be_written(training: Shell) -> None:
    said = training.fails("git cpv init --team T --model m", XDG_DATA_HOME="/proc/none")
    assert said.startswith("error: cannot make the storage '/proc/none/cpv/storage/T/m': ")
    assert "git cpv init --storage FOLDER" in said


def test_a_broken_cpvconfig_is_named_with_its_line(training: Shell) -> None:
    training.write(".cpvconfig", "[cpv]\n\tteam = T\n<<<<<<< HEAD\n")
    assert training.fails("git cpv init") == (
        "error: .cpvconfig, line 3: not in git's configuration syntax\n"
        "hint: correct it, or see what was last committed: git show HEAD:.cpvconfig"
    )


def test_spaces_and_unicode_in_the_way_there(shell: Shell) -> None:
    shell.ok("git cpv init --team T --model m 'größe 1/nested folder'")
    assert shell.at("größe 1/nested folder").ok("git cpv init") == f"everything is set up already; {ALONE}"


def test_a_linked_worktree_uses_the_main_ones_storage(training: Shell) -> None:
    training.ok("git cpv init --team T --model m")
    training.git("worktree", "add", "-q", "../linked", "-b", "other")
    linked = training.at("../linked")
    assert linked.ok("git cpv init") == f"everything is set up already; {ALONE}"
    assert not (linked.cwd / ".dvc/config.local").exists()
    assert linked.ok("git cpv storage") == training.ok("git cpv storage")
