"""Pages of the documentation site that are generated: the reference, and the tutorial from its notebook.

MkDocs calls `on_files` as a hook (mkdocs.yml). Each page is Markdown, so links and search work as on written pages.
"""

import contextlib
import importlib
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import pixelwise
from pixelwise.cli import STEPS, VERBS, find_module
from pixelwise.families import find, find_options, names

# Sections of params.yaml that no family has: the module and the class of their parameters.
SECTIONS = {
    "ingest": ("components.ingest", "IngestParams"),
    "validate": ("components.validate", "ValidateParams"),
    "FAMILY.export": ("components.export", "ExportParams"),
    "FAMILY.quantize": ("pixelwise.export.verdict", "QuantizeParams"),
    "FAMILY.benchmark": ("pixelwise.evaluation.params", "BenchmarkParams"),
}
DOCS = Path(__file__).parent


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    pages: dict[str, Callable[[], str]] = {
        "tutorial.md": lambda: render_notebook(DOCS / "tutorial.ipynb"),
        "reference/commands.md": render_commands,
        "reference/parameters.md": render_parameters,
        "reference/python.md": render_python,
        "reference/steps.md": render_steps,
    }
    for path, render in pages.items():
        files.append(File.generated(config, path, content=render()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - MkDocs's
    """Link each study to its drawn page, where `pixelwise study --redraw` left one."""
    if page.file.src_path != "studies/README.md":
        return markdown
    for file in sorted((DOCS / "studies").glob("*.html")):
        heading = f"## {file.stem}\n"
        markdown = markdown.replace(heading, f"{heading}\n[Page with chart and parameters]({file.name})\n")
    return markdown


def render_commands() -> str:
    """The help of every verb."""
    lines = ["# Commands", "", "Every verb with its options, as `pixelwise VERB --help` prints them."]
    for verb, purpose in VERBS.items():
        lines += ["", f"## {verb}", "", f"{purpose[0].upper()}{purpose[1:]}.", "", "```text", read_help(verb), "```"]
    return "\n".join(lines) + "\n"


def read_help(verb: str) -> str:
    """What `pixelwise VERB --help` prints, 100 characters wide."""
    os.environ["COLUMNS"] = "100"
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        importlib.import_module(find_module(verb)).main(["--help"])
    return out.getvalue().strip()


def render_parameters() -> str:
    """A table per section of params.yaml: key, default, meaning."""
    lines = [
        "# Parameters",
        "",
        "`params.yaml` overrides these defaults. `pixelwise params` prints the resolved values.",
    ]
    for section, (module, name) in SECTIONS.items():
        lines += render_section(section, getattr(importlib.import_module(module), name))
    for family in names():
        lines += render_section(f"{family}.train", find(family).TrainParams)
        lines += render_section(f"{family}.evaluate", find_options(family).EvaluateParams)
        lines += render_section(f"{family}.release", find_options(family).ReleaseParams)
    return "\n".join(lines) + "\n"


def render_section(title: str, model: type[BaseModel]) -> list[str]:
    """The heading and the table of one section."""
    lines = ["", f"## {title}", "", "| key | default | meaning |", "| --- | --- | --- |"]
    return [*lines, *(f"| `{key}` | {default} | {meaning} |" for key, default, meaning in walk_fields(model))]


def walk_fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """(key, default, meaning) of every field; a nested section gives its own fields under a dotted key."""
    for name, field in model.model_fields.items():
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            yield from walk_fields(nested, f"{prefix}{name}.")
            continue
        default: Any = field.get_default(call_default_factory=True)
        shown = "required" if default is PydanticUndefined else f"`{json.dumps(default, default=str)}`"
        yield f"{prefix}{name}", shown, (field.description or "").replace("|", "\\|")


def render_python() -> str:
    """The public names of `import pixelwise`."""
    lines = ["# Python", "", "`import pixelwise` gives these names. An exported model runs without torch."]
    for name in sorted(pixelwise.__all__):
        lines += ["", f"::: {pixelwise.MODULES[name]}.{name}", "    options:", f"      heading: pixelwise.{name}"]
    return "\n".join(lines) + "\n"


def render_steps() -> str:
    """The `run` function of every step of the pipeline."""
    lines = ["# Pipeline steps", "", "Each step is a function `run`, which depends on its arguments alone."]
    for step in STEPS:
        lines += ["", f"## {step}", "", f"::: components.{step}.run", "    options:", "      heading_level: 3"]
    return "\n".join(lines) + "\n"


def render_notebook(file: Path) -> str:
    """A notebook as Markdown: text, code, and the text and pictures that stand in it as outputs."""
    parts = []
    for cell in json.loads(file.read_text())["cells"]:
        source = "".join(cell["source"])
        parts.append(f"```python\n{source}\n```" if cell["cell_type"] == "code" else source)
        parts += [text for output in cell.get("outputs", []) if (text := render_output(output))]
    return "\n\n".join(parts) + "\n"


def render_output(output: dict[str, Any]) -> str:
    """One output of a cell; empty for a kind that has no text and no picture."""
    data = output.get("data", {})
    for kind in ("image/webp", "image/png"):
        if kind in data:
            return f"![output](data:{kind};base64,{''.join(data[kind]).strip()})"
    text = "".join(output.get("text", data.get("text/plain", ""))).rstrip()
    return f"```text\n{text}\n```" if text else ""
