"""The site: ``sphinx-build -W docs build/site`` (extra ``docs``)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).parent

project = "statsmodels-mcla"
author = "statsmodels-mcla developers"
project_copyright = author
release = version = metadata.version("statsmodels-mcla")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["README.md"]
templates_path = ["_templates"]
html_theme = "pydata_sphinx_theme"
html_title = "statsmodels-mcla"
html_static_path = ["_static"]
html_css_files = ["wide_tables.css"]
html_theme_options = {"show_prev_next": True, "navigation_with_keys": False, "show_toc_level": 2}
without_sections = [
    "index",
    "get_started",
    "choosing_and_checking",
    "how_it_works",
    "validation",
    "changelog",
]
html_sidebars: dict[str, list[str]] = {page: [] for page in [*without_sections, "when_not_to_use_it"]}

# notebooks are stored executed, and .ci/run executes them; pages with code cells are executed here
nb_execution_mode = "force"
nb_execution_excludepatterns = ["guides/*"]
nb_execution_raise_on_error = True
nb_execution_timeout = 120
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

autosummary_generate = True
numpydoc_show_class_members = False
autodoc_typehints = "none"  # docstrings say it
default_role = "code"  # names in docstrings are those of the code, of private places too


def _copied() -> Iterator[tuple[Path, Path]]:
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        yield notebook, HERE / "guides" / notebook.name


def _copy_notebooks(*_: Any) -> None:
    """Notebooks lie beside the package, and Sphinx reads what lies below its own folder."""
    for source, target in _copied():
        if not target.exists() or target.read_bytes() != source.read_bytes():
            shutil.copyfile(source, target)


def _skip_internal(_app: Any, _what: str, name: str, thing: Any, *_: Any) -> bool | None:
    """Leave out what completion does not show either."""
    function = getattr(thing, "fget", thing)
    owner = getattr(function, "__qualname__", "").rpartition(".")[0]
    module = __import__(getattr(function, "__module__", None) or "builtins", fromlist=["_"])
    return True if name in getattr(getattr(module, owner, None), "_internal", ()) else None


def setup(app: Any) -> None:
    """Connect what is above."""
    _copy_notebooks()
    app.connect("autodoc-skip-member", _skip_internal)
