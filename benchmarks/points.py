"""The measured points of a sweep, one line of JSON each, which outlive a benchmark that is killed."""

import ast
import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tuner import hashing
from tuner.artifacts.fingerprint import canonical_json
from tuner.settings import settings
from tuner.training.methods import Method
from tuner.training.stage import TRAIN


def code_version(method: type[Method]) -> str:
    """What changes whenever a method may train otherwise: the stage's version, and the code of the method's files.

    Comments, docstrings, the layout of the code and the default rate do not count: a point names its rate.
    """
    kinds = [kind for kind in method.__mro__ if issubclass(kind, Method) and kind is not Method]
    files = sorted({inspect.getfile(kind) for kind in kinds})
    code = "\n".join(ast.unparse(_Bare().visit(ast.parse(Path(file).read_text(encoding="utf-8")))) for file in files)
    return f"{TRAIN.version}-{hashing.of_text(code)[:16]}"


class _Bare(ast.NodeTransformer):
    """Removes docstrings, other bare strings and the default learning rate."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        return None if isinstance(node.target, ast.Name) and node.target.id == "learning_rate" else node


class Points:
    """The points of one folder.

    Args:
        folder: Holds `points.jsonl`, and a folder for each point that is being measured.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "points.jsonl"
        self._losses: dict[str, float | None] = {}
        for line in self.file.read_text().splitlines() if self.file.exists() else ():
            try:
                point = json.loads(line)
            except json.JSONDecodeError:  # a benchmark was killed while it wrote
                continue
            self._losses[_key(point["point"])] = point["loss"]

    @classmethod
    def here(cls) -> "Points":
        """Those of this machine."""
        return cls(settings().folder("cache/rates"))

    def loss(self, identity: Mapping[str, Any], measure: Callable[[Path], float | None]) -> float | None:
        """A point's loss, measured if it is not known; None if its training diverged.

        Args:
            identity: What decides it.
            measure: Measures it, given a folder of its own that outlives an attempt that is killed.
        """
        key = _key(identity)
        if key not in self._losses:
            loss = measure(self.folder / key[:16])
            line = json.dumps({"point": identity, "loss": loss})
            with self.file.open("a") as file:
                # On a line of its own, after one that was cut off.
                file.write(f"\n{line}\n" if self._cut() else f"{line}\n")
            self._losses[key] = loss
        return self._losses[key]

    def _cut(self) -> bool:
        return self.file.exists() and self.file.read_bytes()[-1:] not in (b"", b"\n")


def _key(identity: Mapping[str, Any]) -> str:
    return hashing.of_text(canonical_json(identity))
