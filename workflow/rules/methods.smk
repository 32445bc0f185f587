"""The rules that methods bring; a file with a fault leaves its own method out and no other."""

from method_rules import include_rules

for method in [method for method in METHODS.values() if method.rules]:
    fault = include_rules(workflow, method.name, method.rules)
    if fault:
        CHALLENGE.leave_out(method.name, fault)
