"""Sphinx configuration; builds without a network."""  # noqa: INP001  Sphinx's own place for it

from importlib.metadata import version as _version

project = "kelarec"
author = "The kelarec founders"
copyright = "2026, the kelarec founders"  # noqa: A001  Sphinx's own name
release = version = _version("kelarec")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "kelarec"
myst_heading_anchors = 3

default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_display_short_literal_types = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
