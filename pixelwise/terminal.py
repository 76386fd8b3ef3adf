"""Text on terminals and in files where the encoding of the locale is not UTF-8."""

import io
import locale
import os
import sys


def use_utf8(module: str) -> None:
    """Print `?` for what the terminal cannot show, and read and write every file as UTF-8.

    Where the locale has another encoding, this process is replaced by `python -m MODULE` with the same arguments, in
    Python's UTF-8 mode, which holds for the libraries and for the processes that it starts.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if locale.getpreferredencoding(do_setlocale=False).lower() not in ("utf-8", "utf8"):
        environment = {"PYTHONUTF8": "1", "PYTHONIOENCODING": f"{sys.stdout.encoding}:replace"}
        command = [sys.executable, "-m", module, *sys.argv[1:]]
        os.execve(sys.executable, command, os.environ | environment)  # noqa: S606 - no shell is wanted
