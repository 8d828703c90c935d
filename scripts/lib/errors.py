"""The two ways in which a command fails. Both end in one `[ERROR] ...` sentence on stderr."""


class UsageError(Exception):
    """Bad options, configuration or inputs: nothing was done. Exit code 2."""

    exit_code = 2


class RunError(Exception):
    """The work itself failed: a ticker failed, or there is no prediction. Exit code 1."""

    exit_code = 1
