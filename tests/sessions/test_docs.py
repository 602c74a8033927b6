"""The console examples of the README and of docs/ are typed, and answer as the pages say."""

from __future__ import annotations

import os
import re
import shlex
import sys
import textwrap
from pathlib import Path

import pytest

import console
import messages
from cpvlib.base.errors import UsageError
from cpvlib.cli.arguments import parse
from cpvlib.cli.registry import COMMANDS, load
from shell import Shell

CHECKOUT = console.CHECKOUT
PAGES = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md"), *CHECKOUT.glob("examples/**/*.md")])
TYPED = [page for page in PAGES if "```console\n" in page.read_text()]


def named(page: Path) -> str:
    return str(page.relative_to(CHECKOUT))


@pytest.mark.parametrize("page", TYPED, ids=named)
def test_examples_answer_as_the_page_says(page: Path, sealed: Path) -> None:
    text = page.read_text()
    if "EXAMPLES/" in text:
        pytest.importorskip("safetensors", reason="see examples/digits/requirements.txt")
    if "EXAMPLES/huggingface" in text:
        pytest.importorskip("tokenizers", reason="see examples/huggingface/requirements.txt")

    answers = console.run(text, sealed, os.environ)

    differing = [
        f"$ {example.command}\n--- the page\n{example.answer}--- really\n{answer}"
        for example, answer in zip(console.examples(text), answers, strict=True)
        if not console.matches(example.answer, answer)
    ]
    assert differing == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            broken.append(target)
    assert broken == []


def anchors(page: Path) -> set[str]:
    """As GitHub and Bitbucket make them from headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_paths_of_the_project_exist(page: Path) -> None:
    pattern = r"`((?:cpvlib|tests|examples|docs|bench|man|bin)/[\w./-]*)`"
    named_paths = [path for path in re.findall(pattern, page.read_text()) if "NAME" not in path]
    assert [path for path in named_paths if not (CHECKOUT / path).exists()] == []


def test_the_readmes_python_runs(shell: Shell) -> None:
    """In a repository where a training has written a folder."""
    block = re.search(
        r"^## From Python\n\n((?:    .*\n|\n)+)", (CHECKOUT / "README.md").read_text(), re.MULTILINE
    )
    assert block
    shell.write("faster-whisper/checkpoints/epoch_12/model.safetensors", "weights")
    shell.write("faster-whisper/.gitignore", "/checkpoints\n")
    shell.ok(
        "git init -q faster-whisper && git cpv init -q --team AI-Convo --model faster-whisper faster-whisper"
    )
    program = textwrap.dedent(block[1]) + "print(version, artifacts.tag, artifacts.metrics)\n"
    said = shell.at("faster-whisper").ok([sys.executable, "-c", program], PYTHONPATH=str(CHECKOUT))
    assert said == "v0.1 v0.1 {'loss': 0.245}"


TROUBLES = (CHECKOUT / "docs/troubleshooting.md").read_text()
PHRASES = re.findall(r"\*\*(.+?)\*\*", TROUBLES)


def test_every_message_of_an_error_is_explained() -> None:
    """A new one belongs on the page, under words of it that will stay."""
    found = messages.messages(CHECKOUT / "cpvlib")
    assert len(found) > 300
    missing = {text: place for text, place in found.items() if not any(words in text for words in PHRASES)}
    assert missing == {}


def test_messages_that_are_explained_are_those_of_the_code() -> None:
    sources = [path for path in (CHECKOUT / "cpvlib").rglob("*.*") if path.suffix in (".py", ".sh")]
    known = "\n".join([path.read_text() for path in sources] + [*messages.messages(CHECKOUT / "cpvlib")])
    assert [words for words in PHRASES if words not in known] == []


WITH_COMMANDS = [*PAGES, CHECKOUT / "man/man7/git-cpv.7"]


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=named)
def test_every_command_shown_is_one_that_can_be_typed(page: Path) -> None:
    """Those outside of the console examples too; what they would do is not asked."""
    text = page.read_text().replace("\\-", "-").replace("\\\n", " ")
    for example in console.examples(text):
        text = text.replace(example.answer, "\n")
    wrong = []
    for line in re.findall(r"\bgit cpv [a-z][^\n`|;&)]*", text):
        try:
            _, _, name, *words = shlex.split(line, comments=True)
        except ValueError:
            continue  # prose, with an apostrophe
        if name in COMMANDS and words and words != ["-h"]:
            try:
                parse(load(name), words)
            except UsageError as error:
                if "required" not in error.message and "needs a value" not in error.message:
                    wrong.append(f"{line}: {error}")
    assert wrong == []
