"""The rules that methods bring; a file with a fault leaves its own method out and no other."""

from traceback import extract_tb


def described(error, file):
    """A fault in a rule file in one line: the file, the line as its author counts, what is wrong."""
    frames = extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError):
        compiled = not frames[-1].filename.endswith("parser.py")
        line, text = error.lineno, f"syntax error: {error.msg}"
    else:
        compiled = True
        line = next((f.lineno for f in frames if f.filename == str(file)), None)
        text = " ".join(str(error).split())
        if not isinstance(error, (InputError, WorkflowError)):
            text = f"{type(error).__name__}: {text}"
    if compiled:
        line = workflow.linemaps.get(str(file), {}).get(line, line)
    return f"{file}, line {line}: {text}" if line else f"{file}: {text}"


def check_rules_of(name, rules):
    """A method's rules must not be mistaken for another's: names and predictions are its own."""
    prefix = name.replace("-", "_")
    for rule in rules:
        if not rule.name.startswith(prefix):
            raise InputError(
                f"rule {rule.name}: expected a name that starts with {prefix}"
            )
        for output in map(str, rule.output):
            if "/predictions/" in output and f"/predictions/{name}/" not in output:
                raise InputError(
                    f"rule {rule.name}: expected predictions in <results>/predictions/{name}, "
                    f"found {output}"
                )


def include_rules_of(method):
    """Read a method's rule file. What a faulty one has defined until its fault is taken back."""
    names, defined = list(workflow._rules), dict(globals())
    depth = len(workflow.included_stack)
    try:
        workflow.include(method.rules)
        check_rules_of(method.name, [r for r in workflow.rules if r.name not in names])
        check_names(defined)
    except (Exception, SystemExit) as error:
        CHALLENGE.leave_out(method.name, described(error, method.rules))
        globals().update(defined)
        del workflow.included_stack[depth:]
        for added in [name for name in workflow._rules if name not in names]:
            del workflow._rules[added]


def check_names(defined):
    """All rule files share their names: one that redefines a function changes others' rules."""
    for name, value in defined.items():
        shared = name.isupper() or (callable(value) and not name.startswith("_"))
        if shared and globals()[name] is not value:
            raise InputError(
                f"{name}: expected a name of the method's own, found one in use"
            )


for method in [method for method in METHODS.values() if method.rules]:
    include_rules_of(method)
