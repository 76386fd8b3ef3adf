"""Every command line of the README and the documentation: parsed by its verb, and run where that is cheap."""

import re
import shlex
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from support.channel_model import channel_picture, write_channel_model
from support.http_server import service_of, serving

from pixelwise import command, families
from pixelwise.cli import VERBS, find_module
from pixelwise.families import exported
from pixelwise.identity import PROJECT

PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^(?:    .*\n|\t.*\n)+|^```.*?^```", re.MULTILINE | re.DOTALL)
# What stands for something of the reader's own, in the order in which it is replaced.
OPTIONAL, ALTERNATIVE = re.compile(r"\[([^\]]*)\]"), re.compile(r"\|\S+")


def list_commands(page: Path, program: str) -> list[str]:
    """The lines of a page's code blocks that call `program`, without comments, continued lines joined."""
    blocks = "\n".join(BLOCK.findall(page.read_text())).replace("\\\n", " ")
    lines = (line.strip().removeprefix("$ ") for line in blocks.splitlines())
    return [line for line in lines if line.startswith(f"{program} ") and " … " not in line]


def list_all(program: str) -> list[object]:
    """Every distinct command line of all pages that calls `program`, named by its page."""
    found = {line: page for page in PAGES for line in list_commands(page, program)}
    return [pytest.param(line, id=f"{page.name}: {line[:60]}") for line, page in sorted(found.items())]


def split(line: str) -> list[str]:
    """The words of a command line: optional parts are given, and of alternatives the first."""
    return shlex.split(ALTERNATIVE.sub("", OPTIONAL.sub(r"\1", line)), comments=True)


def find_family(model: object) -> str:
    """The family of a documented model, which its path or name says."""
    return next((name for name in families.names() if name in str(model)), families.DEFAULT)


@pytest.fixture
def parse(monkeypatch):
    """Parse a command line with its verb's own parser and parameters, and do nothing more."""
    parsed = []

    def parse_only(run, section=None, argv=None, params=None):
        values = vars(command.make_parser(run, section, params).parse_args(argv))
        # A section of the reader's own file cannot be read here; the options are still checked against its class.
        parsed.append(command.make_arguments(run, values | {"section": None}, params))

    monkeypatch.setattr(command, "main", parse_only)
    monkeypatch.setattr(exported, "family_of", find_family)
    monkeypatch.setattr(exported, "resolve_model_folder", lambda model: model)

    def parse_line(line):
        _, verb, *argv = split(line)
        assert verb in VERBS
        __import__(find_module(verb), fromlist=["main"]).main(argv)
        return parsed

    return parse_line


@pytest.mark.parametrize("line", list_all("pixelwise"))
def test_a_documented_verb_takes_its_documented_options(line, parse):
    assert len(parse(line)) == 1


def test_what_no_verb_takes_is_found(parse, capsys):
    with pytest.raises(SystemExit):
        parse("pixelwise predict --model models/fcn --modell models/fcn street.jpg --output predictions")
    assert "--modell" in capsys.readouterr().err


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of a small model, its address, and a folder with the picture that the page names."""
    folder = tmp_path_factory.mktemp("serving")
    Image.fromarray(channel_picture(0, (24, 40))[0]).save(folder / "street.jpg")
    with serving(service_of(write_channel_model(folder / "fcn"))) as client:
        yield SimpleNamespace(address=str(client.base_url).rstrip("/"), folder=folder)


@pytest.mark.parametrize("line", list_all("curl"))
def test_a_documented_request_is_answered(line, server):
    words = [word.replace("http://127.0.0.1:8000", server.address) for word in split_curl(line)]
    done = subprocess.run(
        [*words, "--silent", "--show-error", "--fail-with-body"],
        cwd=server.folder, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    if "--output" in words:
        with Image.open(server.folder / words[words.index("--output") + 1]) as picture:
            assert picture.format == "PNG"
            assert picture.width == 40


def split_curl(line: str) -> list[str]:
    """The words of a request, in which brackets and bars have no second meaning."""
    return shlex.split(line, comments=True)


def test_the_pages_show_requests():
    assert len(list_all("curl")) >= 3


@pytest.mark.parametrize("line", list_all("make"))
def test_a_documented_target_is_in_the_makefile(line):
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert {word for word in split(line)[1:] if "=" not in word and not word.startswith("-")} <= targets


@pytest.mark.parametrize("line", list_all("python -m"))
def test_a_documented_module_is_there(line):
    module = split(line)[2]
    path = PROJECT / module.replace(".", "/")
    assert module == "pytest" or path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()
