"""The errors a user can cause. Each message is one line: where, what was found, what was expected."""


class PixelwiseError(Exception):
    """Base of every error that ends a command in one line and a non-zero status."""


class ParamsError(PixelwiseError):
    """A key of params.yaml, or an option, is unknown, missing or out of range."""


class DataError(PixelwiseError):
    """A data set, a file of it, or the prepared data is not what was asked for."""


class ModelError(PixelwiseError):
    """A model cannot be loaded, run or exported as asked."""


class ProviderError(ModelError):
    """The execution provider asked for is not the one obtained."""


class RegistryError(PixelwiseError):
    """The model registry is unreachable or refuses what was asked."""
