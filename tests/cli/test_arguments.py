"""A command line is read without argparse, as argparse reads it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cpvlib.base.errors import UsageError
from cpvlib.cli.arguments import parse
from cpvlib.cli.parser import make_parser, read
from cpvlib.cli.record import Argument, Command
from cpvlib.cli.registry import COMMANDS, load
from cpvlib.cli.words import sort_words

TEXTS = st.sampled_from(["v1.2", "3", "10M", "0", "a b", "x=1", "", "data", "install", "show", "aws", "-1"])


def by_argparse(command: Command, words: list[str]) -> Any:
    """What argparse makes of the line, or the error that it has for it."""
    try:
        in_order = sort_words(words, command.arguments)
        args = vars(read(make_parser(command), in_order))
    except UsageError as error:
        return error.message
    rest = {each.dest: in_order.rest for each in command.arguments if each.after_dashes}
    return {**args, **rest}


def by_us(command: Command, words: list[str]) -> Any:
    try:
        return vars(parse(command, words))
    except UsageError as error:
        return error.message


def typed(argument: Argument) -> st.SearchStrategy[list[str]]:
    """Ways to type one argument."""
    values = TEXTS | st.sampled_from(argument.choices) if argument.choices else TEXTS
    if argument.is_operand:
        return st.lists(values, min_size=1, max_size=1 if argument.nargs in (None, "?") else 3)
    name = st.sampled_from(argument.names)
    return st.tuples(name, values).map(list) if argument.takes_value else name.map(lambda word: [word])


@st.composite
def lines(draw: st.DrawFn) -> tuple[str, list[str]]:
    name = draw(st.sampled_from(COMMANDS))
    arguments = [each for each in load(name).arguments if not each.after_dashes]
    words = draw(st.lists(st.sampled_from(arguments).flatmap(typed), max_size=4))
    return name, [word for each in words for word in each]


@settings(max_examples=300, deadline=None)
@given(lines())
def test_every_line_means_what_argparse_makes_of_it(line: tuple[str, list[str]]) -> None:
    command, words = load(line[0]), line[1]
    assert by_us(command, words) == by_argparse(command, words)


WITHOUT_A_MISTAKE = """
push
push -qv --metric loss=0.5 --metric f1=1 -m x -j 4
tag v1.2 --data -n
list -n 10 --where loss<1
diff v0.1 v0.2
clone URL DIR
storage move DIR
foreach a b -- push -q
"""


def test_argparse_is_not_loaded_for_lines_without_a_mistake() -> None:
    program = (
        "import sys\n"
        "from cpvlib.cli.arguments import parse\n"
        "from cpvlib.cli.registry import load\n"
        "for line in sys.stdin.read().strip().splitlines():\n"
        "    name, *words = line.split()\n"
        "    parse(load(name), words)\n"
        "    print(line, *({'argparse', 'typing'} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-I", "-c", program]
    done = subprocess.run(command, input=WITHOUT_A_MISTAKE, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == WITHOUT_A_MISTAKE.strip().splitlines()
