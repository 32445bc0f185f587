"""The rules that a method brings, read so that a faulty file harms nobody else's.

No part of the library, which knows nothing of Snakemake.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

from snakemake.exceptions import WorkflowError

from selma3d.system.errors import InputError

if TYPE_CHECKING:
    from snakemake.rules import Rule
    from snakemake.workflow import Workflow


def include_rules(workflow: "Workflow", method: str, file: Path) -> str | None:
    """Include a method's rule file; its fault in one line, with all that it defined taken back.

    A method is trusted code: this guards against mistakes. All rule files share their names, so one
    that redefines a shared function, or writes another's predictions, is at fault too.
    """
    rules, names = list(workflow._rules), dict(workflow.globals)
    depth = len(workflow.included_stack)
    try:
        workflow.include(file)
        _check_rules(method, (rule for rule in workflow.rules if rule.name not in rules))
        _check_names(names, workflow.globals)
    except (Exception, SystemExit) as error:
        del workflow.included_stack[depth:]
        for added in [name for name in workflow._rules if name not in rules]:
            del workflow._rules[added]
        workflow.globals.update(names)
        return _described(error, file, workflow.linemaps.get(str(file), {}))
    return None


def _check_rules(method: str, rules: "Iterable[Rule]") -> None:
    prefix, folder = method.replace("-", "_"), f"predictions/{method}"
    for rule in rules:
        if not rule.name.startswith(prefix):
            raise InputError(
                f"rule {rule.name!r}: expected a name that begins with {prefix!r}, since all rule "
                "files share their names"
            )
        for output in map(str, rule.output):
            if "predictions/" in output and f"{folder}/" not in output:
                raise InputError(
                    f"rule {rule.name!r}: expected predictions in <results>/{folder}, "
                    f"found {output}"
                )


def _check_names(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    for name, value in before.items():
        is_shared = name.isupper() or (callable(value) and not name.startswith("_"))
        if is_shared and after[name] is not value:
            raise InputError(f"{name}: expected a name of the method's own, found one in use")


def _described(error: BaseException, file: Path, lines: Mapping[int, int]) -> str:
    """The file, the line as its author counts, what is wrong. lines: author's line by compiled."""
    frames = extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError):
        line, text = error.lineno, f"syntax error: {error.msg}"
        if not frames[-1].filename.endswith("parser.py"):  # Snakemake's own count as the author
            line = lines.get(line, line)
    else:
        line = next((f.lineno for f in frames if f.filename == str(file)), None)
        line, text = lines.get(line, line), " ".join(str(error).split())
        if not isinstance(error, InputError | WorkflowError):
            text = f"{type(error).__name__}: {text}"
    return f"{file}, line {line}: {text}" if line else f"{file}: {text}"


def share_library(scripts: str) -> None:
    """Let scripts of methods outside the repository import the library and `job` too."""
    known = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([scripts, *([known] if known else [])])
