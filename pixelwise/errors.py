"""The errors that a user can cause. Each message is one line: the place, what was found, what was expected."""


class PixelwiseError(Exception):
    """Base of every error that a user can cause. A command ends with it in one line and a non-zero status.

    >>> from pathlib import Path
    >>> import pixelwise
    >>> try:
    ...     pixelwise.open_model(Path("lost"))
    ... except pixelwise.PixelwiseError as error:
    ...     print(error)
    lost: no such file, ...
    """


class ParamsError(PixelwiseError):
    """A key of params.yaml, or an option, is unknown, missing or out of range."""


class DataError(PixelwiseError):
    """A data set, one of its files, or the prepared data is not as expected."""


class ModelError(PixelwiseError):
    """A model cannot be loaded, run or exported as requested."""


class ProviderError(ModelError):
    """The requested execution provider or engine is not available."""


class RegistryError(PixelwiseError):
    """The model registry is unreachable or refuses a request."""


class TrainingStoppedError(Exception):
    """What observes a training ends it, as a search ends a poor trial. It is no fault, so it is no PixelwiseError."""
