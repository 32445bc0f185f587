"""The exceptions for what a user can mend."""

LONGEST_LINE = 1200


class InputError(Exception):
    """A file, table or setting is not as it must be.

    The message is one line: file, key, what was expected, what was found, what to do. It may
    quote what a file holds, and goes to logs and terminals: so long lines lose their middle, and
    unprintable characters are shown by their codes.
    """

    def __init__(self, message: str) -> None:
        super().__init__("\n".join(_shown(line) for line in message.split("\n")))


def _shown(line: str) -> str:
    if not line.isprintable():
        line = "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in line)
    if len(line) <= LONGEST_LINE:
        return line
    half = LONGEST_LINE // 2
    return f"{line[:half]} … {line[-half:]}"


class GpuMemoryError(InputError):
    """A job needs more memory than its GPU has: started again unchanged, it would end alike."""


class FullDiskError(InputError):
    """No room is left on a disk, or in a quota."""


class BusyError(InputError):
    """Another process is at the same work: once it has ended, the work can be started again."""
