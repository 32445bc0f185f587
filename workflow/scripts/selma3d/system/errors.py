"""The one exception for input that a user can mend."""


class InputError(Exception):
    """A file, table or setting is not as it must be.

    The message is one line: file, key, what was expected, what was found, what to do.
    """
