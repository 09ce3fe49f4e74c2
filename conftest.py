"""Runs the code in README.md, in the documentation and in docstrings, so that none of it can go stale.

A block that cannot run stands below a comment ``skip: next "why"``.
"""

from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser
from sybil.parsers.rest import PythonCodeBlockParser as DocstringCodeBlockParser
from sybil.parsers.rest import SkipParser as DocstringSkipParser

_pages = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/*.md", "docs/*/*.md"],
)
_docstrings = Sybil(
    parsers=[DocstringCodeBlockParser(), DocstringSkipParser()],
    patterns=["src/kelarec/*.py", "src/kelarec/*/*.py"],
)

pytest_collect_file = (_pages + _docstrings).pytest()
