"""foreach: many repositories, one command, one summary."""

from __future__ import annotations

import json
import os

import pytest

from shell import Shell


@pytest.fixture
def models(shell: Shell) -> Shell:
    """Three models of two teams below `models`, each with one version; something else lies beside them."""
    for team, model in (("Speech", "whisper"), ("Speech", "wav2vec"), ("Vision", "yolo")):
        shell.ok(f"git cpv init -q --team {team} --model {model} models/{team}/{model}")
        repo = shell.at(f"models/{team}/{model}")
        repo.write("model.bin", f"weights of {model}")
        repo.ok("git cpv push -q --metric loss=0.5 && git cpv tag -q")
    shell.git("init", "-q", "models/plain")
    shell.write("models/notes/README.md", "nothing\n")
    return shell.at("models")


def test_one_command_in_every_repository(models: Shell) -> None:
    done = models.run("git cpv foreach -- list -q --format '%(version) %(metrics:loss)'")
    assert done.code == 0, str(done)
    assert done.out == (
        "Speech/wav2vec: ok\n    v0.1 0.5\nSpeech/whisper: ok\n    v0.1 0.5\nVision/yolo: ok\n    v0.1 0.5\n"
    )
    assert done.err == "3 repositories: 3 ok\n"


def test_of_one_team_or_at_the_paths_that_are_named(models: Shell) -> None:
    assert models.ok("git cpv foreach --team Vision -- git rev-parse --abbrev-ref HEAD") == (
        "Vision/yolo: ok\n    main"
    )
    named = models.ok("git cpv foreach -q Vision/yolo Speech/whisper Vision -- tag -l").splitlines()
    assert [line for line in named if not line.startswith(" ")] == ["Vision/yolo: ok", "Speech/whisper: ok"]
    assert models.ok("git cpv foreach --team Nobody -- status") == ""


def test_after_a_failure_it_stops_unless_told_to_go_on(models: Shell) -> None:
    whisper = models.at("Speech/wav2vec")
    whisper.write(".cpvconfig", "[cpv\n")
    stopped = models.run("git cpv foreach -j 1 -- tag")
    assert stopped.code == 1, str(stopped)
    lines = stopped.out.splitlines()
    assert lines[0] == "Speech/wav2vec: failed (128)"
    assert lines[1].startswith("    error: ")
    assert lines[-2:] == ["Speech/whisper: not run", "Vision/yolo: not run"]
    assert stopped.err == "3 repositories: 1 failed, 2 not run; --continue runs the rest all the same\n"
    went_on = models.run("git cpv foreach --continue -- list -q")
    assert went_on.code == 1
    assert went_on.err == "3 repositories: 2 ok, 1 failed\n"


def test_json_holds_the_answers_of_the_commands(models: Shell) -> None:
    told = json.loads(models.ok("git cpv foreach --json -- show --json latest"))
    assert [(each["team"], each["model"], each["code"]) for each in told["repositories"]] == [
        ("Speech", "wav2vec", 0),
        ("Speech", "whisper", 0),
        ("Vision", "yolo", 0),
    ]
    assert [each["json"]["metrics"] for each in told["repositories"]] == [{"loss": 0.5}] * 3
    assert told["command"] == ["show", "--json", "latest"]


def test_a_repository_is_its_own_whatever_the_environment_says(models: Shell) -> None:
    out = models.ok(
        "git cpv foreach Vision -- git rev-parse --show-toplevel", GIT_DIR=str(models.cwd / "plain/.git")
    )
    assert out.splitlines()[1].strip() == os.path.realpath(models.cwd / "Vision/yolo")


def test_nothing_waits_for_an_answer_and_several_run_at_once(models: Shell) -> None:
    models.write("gate", "")
    # Each waits until all three are there: one after the other they would never meet.
    script = (
        'echo "$PWD" >> "$MEETING"; cat; '
        'until [ "$(wc -l < "$MEETING")" -ge 3 ]; do [ -e "$MEETING" ] || exit 1; done'
    )
    out = models.run(
        ["git", "cpv", "foreach", "-j", "3", "--", "sh", "-c", script],
        MEETING=str(models.cwd / "gate"),
    )
    assert out.code == 0, str(out)


def test_a_program_that_is_not_there(models: Shell) -> None:
    done = models.run("git cpv foreach Vision -- no-such-program")
    assert done.code == 1
    assert done.out.startswith("Vision/yolo: failed (128)\n    error: cannot run 'no-such-program' in ")


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("git cpv foreach", 129, "error: no command is given to run\nhint: git cpv foreach -- status"),
        ("git cpv foreach push", 129, "error: no command is given to run\nhint: git cpv foreach -- status"),
        (
            "git cpv foreach notes -- push",
            128,
            "error: there is no CPV repository in 'notes'\nhint: git cpv init makes a folder one",
        ),
        ("git cpv foreach nowhere -- push", 128, "error: 'nowhere' is not a folder"),
    ],
)
def test_what_can_not_be(models: Shell, command: str, code: int, said: str) -> None:
    assert models.fails(command, code) == said


def test_what_a_repository_says_reaches_the_terminal_harmlessly(models: Shell) -> None:
    out = models.ok(["git", "cpv", "foreach", "Vision", "--", "printf", r"\033]0;owned\007\n"])
    assert out == "Vision/yolo: ok\n    \\x1b]0;owned\\x07"
