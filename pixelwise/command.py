"""The command line of a step, read off its `run` function: paths and fields become options.

    def run(params: IngestParams, out: Path) -> Report: ...

gives `--params FILE`, `--section NAME`, an option for every field of IngestParams (over the file), `--out PATH`.
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

Run = Callable[..., Any]


def main(
    run: Run, section: str | None = None, argv: Sequence[str] | None = None, params: type[Params] | None = None
) -> None:
    """Parse the command line, call `run` and print what it returns; end with status 1 and one line on bad input.

    `section` names the part of params.yaml that is read by default and may hold `{family}`; None reads none. `params`
    is the class of run's `params` where its annotation only names the base.
    """
    with plain_errors():
        values = vars(parser(run, section, params).parse_args(argv))
        report = run(**call_arguments(run, values, params))
        if report is not None:
            # Flushed here, so that a reader who went away is noticed inside and not as Python ends.
            print(report, flush=True)
        # A report that is complete and yet bad news, such as a refused promotion, says why the command failed.
        if failure := getattr(report, "failure", None):
            raise PixelwiseError(failure)


@contextmanager
def plain_errors() -> Iterator[None]:
    """End the process with one line and a non-zero status where the user is at fault or stops it."""
    try:
        yield
    except PixelwiseError as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:
        # The reader of our output (head, less) went away: nothing is wrong, and nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        # A full disk, a folder that may not be written: the system's own words name the file.
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on where this one was")


def value_of(option: str, argv: Sequence[str] | None, default: str) -> str:
    """The value of `--option` on a command line that cannot be parsed as a whole yet."""
    peek = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    peek.add_argument(f"--{option}", default=default)
    return str(getattr(peek.parse_known_args(argv)[0], option))


def name_program(run: Run) -> str:
    """What a user types: `pixelwise VERB`, or `pixelwise VERB ACT` for a verb that has a function for each act.

    A measurement is no verb: `python -m benchmarks.NAME`.
    """
    module = inspect.getmodule(run)
    name = module.__spec__.name if module and module.__spec__ else run.__name__
    if name.startswith("benchmarks."):
        return f"python -m {name}"
    verb = name.rpartition(".")[2].replace("_", "-")
    return f"pixelwise {verb}" if run.__name__ == "run" else f"pixelwise {verb} {run.__name__}"


def parser(run: Run, section: str | None, params: type[Params] | None = None) -> argparse.ArgumentParser:
    """An argument parser for `run`: its docstring is the help, its annotations are the types."""
    options = argparse.ArgumentParser(
        prog=name_program(run),
        description=inspect.getdoc(run),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        # As in value_of: `--fam` must not name a family to one of them only.
        allow_abbrev=False,
    )
    for name, (kind, note, default) in signature(run, params).items():
        if isinstance(kind, type) and issubclass(kind, Params):
            options.add_argument("--params", type=Path, default=PARAMS_FILE, metavar="FILE", help="parameters file")
            shown = "default: none, the built-in defaults" if section is None else "default: %(default)s"
            options.add_argument("--section", default=section, help=f"section of the parameters file ({shown})")
            add_fields(options, kind)
        else:
            add_argument(options, name, kind, note, default)
    return options


def add_fields(options: argparse.ArgumentParser, params: type[Params]) -> None:
    """One option a simple field, so that a single value can be tried without editing params.yaml."""
    group = options.add_argument_group(f"parameters (each overrides --section; {params.__doc__})")
    for name, field in params.model_fields.items():
        kind = without_none(field.annotation)
        if is_nested(kind):
            continue
        group.add_argument(
            flag(name),
            dest=f"params.{name}",
            default=argparse.SUPPRESS,
            metavar=metavar(kind),
            help=field.description,
        )
    for old, new in params.renamed.items():
        options.add_argument(flag(old), type=refuse_former(old, new), default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def flag(name: str) -> str:
    """The option of a field or an argument called `name`."""
    return f"--{name.replace('_', '-')}"


def refuse_former(old: str, new: str) -> Callable[[str], None]:
    """What reads the value of an option that has a new name: it raises ParamsError."""

    def refuse(_: str) -> None:
        raise ParamsError(f"{flag(old)}: renamed to {flag(new)}")

    return refuse


def is_nested(kind: Any) -> bool:
    """Whether a field of type `kind` is more than one word of a command line: all but values and tuples."""
    if get_origin(kind) is tuple:
        return any(is_nested(part) for part in get_args(kind) if part is not Ellipsis)
    return get_origin(kind) in (dict, list) or (inspect.isclass(kind) and issubclass(kind, Params))


def add_argument(options: argparse.ArgumentParser, name: str, kind: Any, note: str, default: Any) -> None:
    """Add one path, list, flag or plain value of the signature; a list without a default is positional."""
    required = default is inspect.Parameter.empty
    kind = without_none(kind)
    if kind is bool:
        options.add_argument(flag(name), action="store_true", help=note)
    elif get_origin(kind) in (list, tuple, Sequence) or get_origin(kind) is typing.get_origin(Sequence[Any]):
        options.add_argument(
            name, nargs="+" if required else "*", type=get_args(kind)[0], metavar=name.upper(), help=note
        )
    else:
        shown = f"{note} (default: {default})" if not required and default is not None else note
        choices = get_args(kind) if get_origin(kind) is Literal else None
        options.add_argument(
            flag(name),
            type=str if choices else kind,
            choices=choices,
            required=required,
            default=None if required else default,
            metavar=None if choices else metavar(kind),
            help=shown,
        )


def call_arguments(run: Run, values: dict[str, Any], params: type[Params] | None = None) -> dict[str, Any]:
    """The keyword arguments of `run` from parsed `values`, with the section read and overridden."""
    call = {name: values[name] for name in signature(run) if name in values and name != "params"}
    for name, (kind, _, _) in signature(run, params).items():
        if isinstance(kind, type) and issubclass(kind, Params):
            call[name] = params_of(kind, values)
    return call


def params_of(model: type[Params], values: dict[str, Any]) -> Params:
    """The section of the parameters file, overridden by the options given."""
    section = section_of(values)
    found = read_section(values["params"], section) if section else {}
    prefix = "params."
    given = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
    found.update({key: as_value(model.model_fields[key].annotation, value) for key, value in given.items()})
    return parse(model, found, f"{values['params']}: {section}" if section else "options")


def as_value(kind: Any, text: str) -> Any:
    """What `text` on a command line stands for, in a field of type `kind`: `a,b` is a list."""
    if get_origin(without_none(kind)) is tuple:
        return [part for part in text.split(",") if part]
    return None if text in ("null", "none") else text


def section_of(values: dict[str, Any]) -> str | None:
    """The dotted section that parsed `values` name, `{family}` and the like filled in; None for none."""
    if not values["section"]:
        return None
    return re.sub(r"{(\w+)}", lambda found: str(values.get(found[1], found[0])), values["section"])


def signature(run: Run, params: type[Params] | None = None) -> dict[str, tuple[Any, str, Any]]:
    """For each parameter of `run`: name -> (type, note, default); the note stands in Annotated[type, note]."""
    hints = typing.get_type_hints(run, include_extras=True) | ({"params": params} if params else {})
    found = {}
    for name, parameter in inspect.signature(run).parameters.items():
        kind, note = hints[name], ""
        if get_origin(kind) is Annotated:
            kind, note = get_args(kind)[:2]
        found[name] = (kind, note, parameter.default)
    return found


def without_none(kind: Any) -> Any:
    """`X` for `X | None`, `Annotated[X, ...]` and `X` alike."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (UnionType, typing.Union):
        (kind,) = (part for part in get_args(kind) if part is not NoneType)
        return without_none(kind)
    return kind


def metavar(kind: Any) -> str:
    """How a value of `kind` is written in --help."""
    if get_origin(kind) is tuple:
        return "A,B,…"
    if get_origin(kind) is Literal:
        return "{" + ",".join(str(choice) for choice in get_args(kind)) + "}"
    return getattr(kind, "__name__", "value").upper()
