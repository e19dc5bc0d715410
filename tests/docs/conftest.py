"""docs/tools is no package: its modules are found beside mkdocs.yml's hooks."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "tools"))
