"""Every command line of the README and the documentation: parsed by its verb, and run where that is cheap."""

import re
import shlex
import subprocess
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.channel_model import channel_picture, write_channel_model
from support.http_server import service_of, serving

from pixelwise import command, families
from pixelwise.cli import VERBS, find_module
from pixelwise.families import exported
from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.families.guided.runtime.session import GuidedSession
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
    monkeypatch.setattr(exported, "find_family", find_family)
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
def folder(tmp_path_factory):
    """A folder with the pictures that the pages name."""
    folder = tmp_path_factory.mktemp("serving")
    for name in ("street.jpg", "frame0.jpg", "frame1.jpg", "disc.jpg"):
        Image.fromarray(channel_picture(0, (24, 40))[0]).save(folder / name)
    mask = Image.new("L", (40, 24))
    mask.paste(1, (10, 6, 30, 18))
    mask.save(folder / "disc.png")
    return folder


@pytest.fixture(scope="module")
def servers(folder, clockwork_model, guided_folder):
    """Clients of a server of each kind of requests, by the port that the page gives it."""
    session = GuidedSession(GuidedModel(guided_folder, "cpu"))
    session.click(session.add_picture(np.zeros((24, 40, 3), np.uint8)), 20, 12)
    session.save(folder / "disc.guidance")
    models = {"8000": write_channel_model(folder / "fcn"), "8001": clockwork_model, "8002": guided_folder}
    with ExitStack() as stack:
        yield {port: stack.enter_context(serving(service_of(model))) for port, model in models.items()}


def open_session(client, picture):
    """The id of a new session, in which a guided model has a picture with a click."""
    session = client.post("/sessions").json()["session"]
    if client.post(f"/sessions/{session}/pictures", content=picture.read_bytes()).status_code == 201:
        assert client.post(f"/sessions/{session}/pictures/0/clicks", params={"x": 30, "y": 4}).status_code == 200
    return session


@pytest.mark.parametrize("line", list_all("curl"))
def test_a_documented_request_is_answered(line, servers, folder):
    port = re.search(r"127\.0\.0\.1:(\d+)", line)[1]
    client = servers[port]
    line = line.replace(f"http://127.0.0.1:{port}", str(client.base_url).rstrip("/"))
    if "SESSION" in line.partition("#")[0]:
        line = line.replace("SESSION", open_session(client, folder / "disc.jpg"))
    words = split_curl(line)
    done = subprocess.run(
        [*words, "--silent", "--show-error", "--fail-with-body"],
        cwd=folder, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    if "--output" in words and words[-1].endswith(".png"):
        with Image.open(folder / words[-1]) as picture:
            assert picture.format == "PNG"
            assert picture.width == 40


def split_curl(line: str) -> list[str]:
    """The words of a request, in which brackets and bars have no second meaning."""
    return shlex.split(line, comments=True)


def test_the_pages_show_requests():
    assert len(list_all("curl")) >= 15


@pytest.mark.parametrize("line", list_all("make"))
def test_a_documented_target_is_in_the_makefile(line):
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert {word for word in split(line)[1:] if "=" not in word and not word.startswith("-")} <= targets


@pytest.mark.parametrize("line", list_all("python -m"))
def test_a_documented_module_is_there(line):
    module = split(line)[2]
    path = PROJECT / module.replace(".", "/")
    assert module == "pytest" or path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()
