"""The rules that methods bring, checked in a Snakemake of their own before they are included.

A method is trusted code: this guards against mistakes. A file that can't be read, or that writes
where other methods write, leaves its own method out and no other. The verdict is kept, by the
content of the files, so that neither the next plan nor a job on a cluster repeats the check. This
is no part of the library, which knows nothing of Snakemake.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

import snakemake
import yaml
from snakemake.exceptions import WorkflowError

from selma3d.system.atomic import publish
from selma3d.system.errors import InputError

if TYPE_CHECKING:
    from snakemake.rules import Rule
    from snakemake.workflow import Workflow

    from selma3d.challenge import Method

ORDER = "SELMA3D_CHECK_METHOD_RULES"  # set in the Snakemake that checks: a folder with its order
FILES, SEEN = "files.json", "seen.json"


def faults(
    methods: Mapping[str, "Method"], root: Path, config: Mapping[str, Any]
) -> dict[str, str]:
    """The fault of each method whose rule file must not be included, in one line."""
    if not methods:
        return {}
    kept = root / ".snakemake" / "method_rules" / f"{_digest(methods, root)}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    found: dict[str, str] = {}
    while True:
        rest = {name: str(m.rules) for name, m in methods.items() if name not in found}
        fault = _first_fault(rest, root, config)
        if not fault:
            break
        found |= fault
    try:
        with publish(kept) as temporary:
            temporary.write_text(json.dumps(found))
    except OSError:
        pass  # a checkout that others own: the next one checks again
    return found


def _digest(methods: Mapping[str, "Method"], root: Path) -> str:
    """A name for all that the verdict on these files depends on."""
    hashed = hashlib.sha256(snakemake.__version__.encode())
    for file in (root / "Snakefile", *sorted((root / "workflow" / "rules").glob("*.smk"))):
        hashed.update(file.read_bytes())
    for name, method in methods.items():
        hashed.update(f"{name} {method.rules} {method.settings!r}".encode())
        hashed.update(method.rules.read_bytes())
    return hashed.hexdigest()[:32]


def _first_fault(files: dict[str, str], root: Path, config: Mapping[str, Any]) -> dict[str, str]:
    """Let a Snakemake of its own include the files, one after another; the first fault, if any."""
    with tempfile.TemporaryDirectory() as folder:
        order = Path(folder)
        (order / FILES).write_text(json.dumps(files))
        (order / "config.yaml").write_text(yaml.safe_dump(dict(config)))
        command = [sys.executable, "-m", "snakemake", "--list-rules", "--snakefile"]
        command += [str(root / "Snakefile"), "--configfile", str(order / "config.yaml")]
        environment = os.environ | {ORDER: folder}
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if not (order / SEEN).exists():
            said = " ".join((ran.stdout + ran.stderr).split())
            raise WorkflowError(f"the rule files of methods could not be checked: {said[-500:]}")
        return {
            name: fault for name, fault in json.loads((order / SEEN).read_text()).items() if fault
        }


def is_check() -> bool:
    """Whether this Snakemake runs only to check rule files."""
    return ORDER in os.environ


def check_included(workflow: "Workflow", names: dict[str, Any]) -> None:
    """Include the ordered files up to the first fault, and note what was found."""
    order = Path(os.environ[ORDER])
    seen: dict[str, str] = {}
    for method, file in json.loads((order / FILES).read_text()).items():
        # What ends the process here is this file's fault.
        seen[method] = f"{file}: it ends Snakemake when it is read"
        (order / SEEN).write_text(json.dumps(seen))
        seen[method] = _fault(workflow, method, file, names)
        (order / SEEN).write_text(json.dumps(seen))
        if seen[method]:
            break


def _fault(workflow: "Workflow", method: str, file: str, names: dict[str, Any]) -> str:
    rules, before = {rule.name for rule in workflow.rules}, dict(names)
    try:
        workflow.include(file)
        _check_rules(method, (rule for rule in workflow.rules if rule.name not in rules))
        _check_names(before, names)
    except (Exception, SystemExit) as error:
        return _described(error, file, workflow.linemaps.get(file, {}))
    return ""


def _check_rules(method: str, rules: "Iterable[Rule]") -> None:
    """Rules have names of their own, and write no other method's predictions."""
    prefix, folder = method.replace("-", "_"), f"predictions/{method}"
    for rule in rules:
        if not rule.name.startswith(prefix):
            raise InputError(
                f"rule {rule.name!r}: expected a name that begins with {prefix!r}, since all rule "
                "files share their names"
            )
        for output in map(str, rule.output):
            if "predictions/" in output and f"{folder}/" not in output:
                found = re.sub(r"{(\w+)[^}]*}", r"<\1>", output)  # braces mean wildcards elsewhere
                raise InputError(
                    f"rule {rule.name!r}: expected predictions in <results>/{folder}, found {found}"
                )


def _check_names(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """All rule files share their names, so none may redefine a name that others use."""
    for name, value in before.items():
        is_shared = name.isupper() or (callable(value) and not name.startswith("_"))
        if is_shared and after[name] is not value:
            raise InputError(f"{name}: expected a name of the method's own, found one in use")


def _described(error: BaseException, file: str, lines: Mapping[int, int]) -> str:
    """The file, the line as its author counts, what is wrong. lines: author's line by compiled."""
    frames = extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError):
        line, text = error.lineno, f"syntax error: {error.msg}"
        if not frames[-1].filename.endswith("parser.py"):  # Snakemake's own count as the author
            line = lines.get(line, line)
    else:
        line = next((f.lineno for f in frames if f.filename == file), None)
        line, text = lines.get(line, line), " ".join(str(error).split())
        if not isinstance(error, InputError | WorkflowError):
            text = f"{type(error).__name__}: {text}"
    return f"{file}, line {line}: {text}" if line else f"{file}: {text}"


def share_library(scripts: str) -> None:
    """Let scripts of methods outside the repository import the library and `job` too."""
    known = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([scripts, *([known] if known else [])])
