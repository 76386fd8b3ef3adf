"""Build the command line of a step from its `run` function: paths and fields become options.

    def run(params: IngestParams, out: Path) -> Report: ...

gives `--params FILE`, `--section NAME`, an option for every field of IngestParams (overrides the file), `--out PATH`.
"""

import argparse
import inspect
import os
import re
import sys
import typing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

from pixelwise.errors import ParamsError, PixelwiseError
from pixelwise.params import PARAMS_FILE, Params, parse, read_section
from pixelwise.stage_inputs import require_unchanged

Run = Callable[..., Any]


def main(
    run: Run, section: str | None = None, argv: Sequence[str] | None = None, params: type[Params] | None = None
) -> None:
    """Parse the command line, call `run` and print its result; exit with status 1 and one line on bad input.

    `section`: the section of params.yaml that is read by default, which may contain `{family}`; None reads none.
    `params`: the class of run's `params` if its annotation names only the base class.
    """
    with report_errors():
        require_unchanged()
        values = vars(make_parser(run, section, params).parse_args(argv))
        report = run(**make_arguments(run, values, params))
        require_unchanged()
        if report is not None:
            # Flushed here, so that a closed pipe raises inside `report_errors` and not at Python's exit.
            print(report, flush=True)
        # A complete report can still mean failure, such as a refused promotion; `failure` gives the reason.
        if failure := getattr(report, "failure", None):
            raise PixelwiseError(failure)


@contextmanager
def report_errors() -> Iterator[None]:
    """Exit with one line and a non-zero status on an error of the user, a system error or an interrupt."""
    try:
        yield
    except PixelwiseError as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:
        # The reader of the output (head, less) closed the pipe, which is no error. Python's exit must not write to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        # Such as a full disk or a folder without write permission. The system's message names the file.
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; run the same command to resume")


def read_option(option: str, argv: Sequence[str] | None, default: str) -> str:
    """The value of `--option` on a command line that cannot be fully parsed yet."""
    peek = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    peek.add_argument(f"--{option}", default=default)
    return str(getattr(peek.parse_known_args(argv)[0], option))


def name_program(run: Run) -> str:
    """The command that a user types: `pixelwise VERB`, or `pixelwise VERB FUNCTION` if the function is not `run`.

    A benchmark is not a verb: `python -m benchmarks.NAME`.
    """
    module = inspect.getmodule(run)
    name = module.__spec__.name if module and module.__spec__ else run.__name__
    if name.startswith("benchmarks."):
        return f"python -m {name}"
    verb = name.rpartition(".")[2].replace("_", "-")
    return f"pixelwise {verb}" if run.__name__ == "run" else f"pixelwise {verb} {run.__name__}"


def make_parser(run: Run, section: str | None, params: type[Params] | None = None) -> argparse.ArgumentParser:
    """Make the argument parser for `run`: its docstring is the help text, its annotations are the types."""
    options = argparse.ArgumentParser(
        prog=name_program(run),
        description=inspect.getdoc(run),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        # As in read_option: both parsers must treat `--fam` alike.
        allow_abbrev=False,
    )
    for name, (kind, note, default) in read_signature(run, params).items():
        if isinstance(kind, type) and issubclass(kind, Params):
            options.add_argument("--params", type=Path, default=PARAMS_FILE, metavar="FILE", help="parameters file")
            default_note = "default: none, the built-in defaults" if section is None else "default: %(default)s"
            options.add_argument("--section", default=section, help=f"section of the parameters file ({default_note})")
            add_fields(options, kind)
        else:
            add_argument(options, name, kind, note, default)
    return options


def add_fields(options: argparse.ArgumentParser, params: type[Params]) -> None:
    """Add one option per simple field, so that a value can be tried without editing params.yaml."""
    group = options.add_argument_group(f"parameters (each overrides --section; {params.__doc__})")
    for name, field in params.model_fields.items():
        kind = strip_none(field.annotation)
        if is_nested(kind):
            continue
        group.add_argument(
            format_flag(name),
            dest=f"params.{name}",
            default=argparse.SUPPRESS,
            metavar=format_metavar(kind),
            help=field.description,
        )
    for old, new in params.renamed.items():
        options.add_argument(
            format_flag(old), type=refuse_former(old, new), default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )


def format_flag(name: str) -> str:
    """The option for the field or argument `name`."""
    return f"--{name.replace('_', '-')}"


def refuse_former(old: str, new: str) -> Callable[[str], None]:
    """The argparse type of a renamed option: a function that raises ParamsError."""

    def refuse(_: str) -> None:
        raise ParamsError(f"{format_flag(old)}: renamed to {format_flag(new)}")

    return refuse


def is_nested(kind: Any) -> bool:
    """Whether a field of type `kind` does not fit in one command line word: all but scalars and tuples of them."""
    if get_origin(kind) is tuple:
        return any(is_nested(part) for part in get_args(kind) if part is not Ellipsis)
    return get_origin(kind) in (dict, list) or (inspect.isclass(kind) and issubclass(kind, Params))


def add_argument(options: argparse.ArgumentParser, name: str, kind: Any, note: str, default: Any) -> None:
    """Add one path, list, flag or plain value of the signature. Lists are positional."""
    required = default is inspect.Parameter.empty
    kind = strip_none(kind)
    if kind is bool:
        options.add_argument(format_flag(name), action="store_true", help=note)
    elif get_origin(kind) in (list, tuple, Sequence) or get_origin(kind) is typing.get_origin(Sequence[Any]):
        options.add_argument(
            name, nargs="+" if required else "*", type=get_args(kind)[0], metavar=name.upper(), help=note
        )
    else:
        help_text = f"{note} (default: {default})" if not required and default is not None else note
        choices = get_args(kind) if get_origin(kind) is Literal else None
        options.add_argument(
            format_flag(name),
            type=str if choices else kind,
            choices=choices,
            required=required,
            default=None if required else default,
            metavar=None if choices else format_metavar(kind),
            help=help_text,
        )


def make_arguments(run: Run, values: dict[str, Any], params: type[Params] | None = None) -> dict[str, Any]:
    """The keyword arguments of `run` from parsed `values`. `params` is the section with its overrides."""
    call = {name: values[name] for name in read_signature(run) if name in values and name != "params"}
    for name, (kind, _, _) in read_signature(run, params).items():
        if isinstance(kind, type) and issubclass(kind, Params):
            call[name] = make_params(kind, values)
    return call


def make_params(model: type[Params], values: dict[str, Any]) -> Params:
    """The section of the parameters file, overridden by the given options."""
    section = resolve_section(values)
    fields = read_section(values["params"], section) if section else {}
    prefix = "params."
    overrides = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
    fields.update({key: parse_value(model.model_fields[key].annotation, value) for key, value in overrides.items()})
    return parse(model, fields, f"{values['params']}: {section}" if section else "options")


def parse_value(kind: Any, text: str) -> Any:
    """Convert `text` from a command line to a value for a field of type `kind`: `a,b` is a list."""
    if get_origin(strip_none(kind)) is tuple:
        return [item for item in text.split(",") if item]
    return None if text in ("null", "none") else text


def resolve_section(values: dict[str, Any]) -> str | None:
    """The dotted section in parsed `values` with placeholders such as `{family}` filled in; None if there is none."""
    if not values["section"]:
        return None
    return re.sub(r"{(\w+)}", lambda match: str(values.get(match[1], match[0])), values["section"])


def read_signature(run: Run, params: type[Params] | None = None) -> dict[str, tuple[Any, str, Any]]:
    """The parameters of `run`: name -> (type, note, default). The note comes from Annotated[type, note]."""
    hints = typing.get_type_hints(run, include_extras=True) | ({"params": params} if params else {})
    parameters = {}
    for name, parameter in inspect.signature(run).parameters.items():
        kind, note = hints[name], ""
        if get_origin(kind) is Annotated:
            kind, note = get_args(kind)[:2]
        parameters[name] = (kind, note, parameter.default)
    return parameters


def strip_none(kind: Any) -> Any:
    """Return `X` for `X | None`, `Annotated[X, ...]` and `X`."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (UnionType, typing.Union):
        (kind,) = (part for part in get_args(kind) if part is not NoneType)
        return strip_none(kind)
    return kind


def format_metavar(kind: Any) -> str:
    """The placeholder for a value of `kind` in --help."""
    if get_origin(kind) is tuple:
        return "A,B,…"
    if get_origin(kind) is Literal:
        return "{" + ",".join(str(choice) for choice in get_args(kind)) + "}"
    return getattr(kind, "__name__", "value").upper()
