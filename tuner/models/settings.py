"""The recipe's section on models."""

from tuner.section import Section


class Models(Section):
    """The models, each as `pypi:PACKAGE==VERSION`, a hub id `owner/name[@revision]` or a folder `./path`.

    Attributes:
        generator: The aligned chat model that instructions and responses are drawn from.
        student: The model that adapters are trained on.
    """

    generator: str
    student: str
