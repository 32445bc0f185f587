"""The rules that methods bring; a file with a fault leaves its own method out and no other."""

import method_rules

if method_rules.is_check():
    method_rules.check_included(workflow, globals())
else:
    faults = method_rules.faults(
        {method.name: method for method in METHODS.values() if method.rules},
        Path(workflow.basedir),
        config,
    )
    for name, fault in faults.items():
        CHALLENGE.leave_out(name, fault)
    for method in [method for method in METHODS.values() if method.rules]:

        include: method.rules
