"""Errors that a user can act on.

Each carries one message that says what is wrong, where, and what to do. The command line and the stages print that
message without a traceback and exit with 2.
"""


class ReproError(Exception):
    """Base of every failure that is explained to the user."""


class ParameterError(ReproError, ValueError):
    """A parameter in params.yaml or on the command line is unknown, of the wrong type or out of range."""


class DataError(ReproError, ValueError):
    """A file or array breaks a rule of its format or schema."""


class PackError(ReproError):
    """The pinned pack does not belong to the physics code at hand."""


class ClaimError(ReproError, ValueError):
    """A claims registry, evidence file or verdict file cannot be read."""


class EnvironmentProblem(ReproError):
    """The machine lacks something the kit needs."""
