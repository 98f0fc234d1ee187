"""README says what there is: commands, formats, figures; and nothing that is gone."""

import re
from pathlib import Path

import pytest

from eval.figures import FIGURES
from index.load import LOADERS
from rag import __version__
from rag.cli import _parser

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def commands() -> dict[str, set[str]]:
    """Each command of ``rag`` with its flags."""
    (choices,) = [action.choices for action in _parser()._actions if isinstance(action.choices, dict)]
    return {
        name: {option for action in parser._actions for option in action.option_strings if option.startswith("--")}
        for name, parser in choices.items()
    }


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_and_its_flags_are_documented(name: str) -> None:
    assert f"| `rag {name}" in README, f"README's table lacks `rag {name}`"
    missing = [flag for flag in sorted(commands()[name] - {"--help"}) if f"`{flag}" not in README]
    assert not missing, f"README does not name {missing} of `rag {name}`"


def test_no_command_is_documented_that_does_not_exist() -> None:
    assert set(re.findall(r"^\| `rag (\w+)", README, re.MULTILINE)) == set(commands())


def test_every_format_is_documented() -> None:
    (table,) = re.findall(r"\| format \| read as \|\n(.*?)\n\n", README, re.DOTALL)
    assert set(re.findall(r"`(\.\w+)`", table.replace("`.`", ""))) == set(LOADERS)


def test_every_figure_is_documented_as_the_code_has_it() -> None:
    table = dict(re.findall(r"^\| `([^`]+)` \| ([^|]+) \|$", README, re.MULTILINE))
    assert {name: table.get(name) for name in FIGURES} == dict(FIGURES)


def test_the_set_up_commands_are_two_and_ci_runs_the_second() -> None:
    set_up = re.findall(r"^\$ (pip install .*)$", README, re.MULTILINE)
    assert len(set_up) == 2
    assert "sed -n 's/^\\$ \\(pip install -e .*\\)$/\\1/p' README.md" in (ROOT / ".ci/run").read_text("utf-8")


def test_version_and_changelog_agree() -> None:
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert released[0] == __version__


def test_every_file_and_folder_that_the_map_names_exists() -> None:
    for place in re.findall(r"`((?:index|rag|eval|tests|web)/[\w./-]*)`", README):
        assert (ROOT / place).exists(), place
