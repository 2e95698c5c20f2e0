"""Errors for the user: one line each, which says what is wrong and what would be right."""


class TunerError(Exception):
    """Base class of errors that are reported as one line, without a stack trace."""

    exit_code = 1


class InputError(TunerError):
    """The user's input is wrong: a recipe, a name, a path, a credential. Nothing was started."""

    exit_code = 2


class StageError(TunerError):
    """A stage failed; the artifacts of earlier stages stay complete."""


class UnreachableError(TunerError):
    """The store is not reachable at the moment (cut connection, overload, timeout); a retry may succeed."""

    retryable = True


class DamagedArtifactError(TunerError):
    """A file of a complete artifact is missing or does not match its sha256.

    Attributes:
        stage: The stage that made the artifact.
        fingerprint: The artifact's fingerprint.
    """

    def __init__(self, stage: str, fingerprint: str, problem: str) -> None:
        self.stage = stage
        self.fingerprint = fingerprint
        self.problem = problem
        super().__init__(f"artifact {stage}/{fingerprint[:12]} is damaged: {problem}")

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        return (type(self), (self.stage, self.fingerprint, self.problem))
