"""The errors a person is meant to read: one line each, naming what is wrong and what would be right."""


class TunerError(Exception):
    """The base of every error that is reported as one line, without a stack trace."""

    exit_code = 1


class InputError(TunerError):
    """What the user gave is wrong: a recipe, a name, a path, a credential. Nothing was started."""

    exit_code = 2


class StageError(TunerError):
    """A stage could not do its work; what earlier stages made stays complete."""


class UnreachableError(TunerError):
    """The store does not answer just now: a cut connection, an overload, a time-out. The same can pass next time."""

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
