"""Change a module that is imported already: its functions get the code of the changed module."""

import gc
from collections.abc import Iterator, Sequence
from types import CodeType, FunctionType

from support.mutations import PROJECT, Mutant, build


def find_functions(files: set[str]) -> dict[str, list[FunctionType]]:
    """The functions of all modules in `files`, wherever they are referred to, by file."""
    found: dict[str, list[FunctionType]] = {file: [] for file in files}
    for thing in gc.get_objects():
        # By type, as `isinstance` would load modules that pretend to be others.
        if type(thing) is FunctionType and thing.__code__.co_filename in files:
            found[thing.__code__.co_filename].append(thing)
    return found


def swap(mutant: Mutant, functions: Sequence[FunctionType]) -> bool:
    """Change the `functions` of a module; whether its change is in functions alone.

    Nothing is changed where a constant, a class or a default differs, which only a new import changes.
    """
    file = str(PROJECT / mutant.module)
    before = list_codes(compile((PROJECT / mutant.module).read_bytes(), file, "exec"))
    changed = {name_code(code): code for code in list_codes(compile(build(mutant).tree, file, "exec"))}
    kept = {(name_code(code), describe(code)) for code in before}
    differing = {name for name, code in changed.items() if (name, describe(code)) not in kept}
    reached = {name_code(code) for function in functions for code in list_codes(function.__code__)}
    if not differing or not differing <= reached:
        return False
    for function in functions:
        function.__code__ = changed[name_code(function.__code__)]
    return True


def list_codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and all within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from list_codes(constant)


def name_code(code: CodeType) -> tuple[str, int]:
    """What tells a code object from others of its module."""
    return code.co_qualname, code.co_firstlineno


def describe(code: CodeType) -> tuple:
    """What a code object does, without the code objects within it."""
    return (
        code.co_code,
        code.co_names,
        tuple(repr(value) for value in code.co_consts if not isinstance(value, CodeType)),
    )
