"""`tuner models check --draw` compares the openings of a model, drawn in this process or by a server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.commands import app
from tests.generation.served import Served, text_of
from tuner import settings as settings_module

WORDS = "How do I bake bread with"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server that asks well under a system prompt, and breaks off without one."""
    for name in ("TUNER_ENGINE", "TUNER_ENDPOINT"):  # so that what the command sets ends with the test
        monkeypatch.setenv(name, "")
    served = Served()

    def says(body: dict[str, object]) -> str:
        words = text_of(str(body["prompt"]), int(str(body.get("seed", 0))))
        return f"{WORDS} {words}?" if "system" in str(body["prompt"]) else f", and so {words}"

    served.says = says
    yield served
    served.die()
    settings_module.settings.cache_clear()


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["models", "check", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_openings_are_compared_by_a_server(tiny: Path, server: Served) -> None:
    code, printed = invoke(str(tiny), "--draw", "-n", "32", "--endpoint", server.url)
    assert code == 0
    lines = printed.splitlines()
    own = next(line for line in lines if line.startswith("the template's own  "))
    bare = next(line for line in lines if line.startswith("no system turn  "))
    assert "100% (89 to 100)  0% (0 to 11)" in own
    assert "  0% (0 to 11)  " in bare
    assert any(line.startswith(f"  usable: {WORDS}") for line in lines)
    assert any(line.startswith("  begun or ended within a sentence: , and so") for line in lines)
    assert lines[-1] == (
        "Leave the template's own opening as it is: 32 of 32 instructions are usable, against 0 under no system turn."
    )
    assert len(server.asked) == 64, "instructions alone"


def test_a_recipes_system_prompts_are_looked_at(tiny: Path, server: Served, tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        f"name: r\nmodels: {{generator: {tiny}, student: {tiny}}}\n"
        "generation: {rows: 8, system: [You bake.]}\ntraining: {lora: {method: lora}}\n"
    )
    code, printed = invoke(str(tiny), "--draw", "-n", "16", "--endpoint", server.url, "--recipe", str(recipe))
    assert code == 0
    assert printed.splitlines()[-1].startswith("Keep the recipe's generation.system: 16 of 16 instructions are usable")
    assert "Language: en." in printed
    assert any("You bake." in body["prompt"] for body in server.asked)


@pytest.mark.usefixtures("float32")
def test_two_calls_give_the_same(tiny: Path) -> None:
    assert invoke(str(tiny), "--draw", "-n", "16") == invoke(str(tiny), "--draw", "-n", "16")


@pytest.mark.parametrize("option", ["--recipe", "--endpoint"])
def test_what_is_drawn_is_named_with_draw_only(tiny: Path, option: str) -> None:
    from tuner.errors import InputError

    with pytest.raises(InputError, match="--recipe and --endpoint say what is drawn; add --draw"):
        invoke(str(tiny), option, "x")
