"""Programs of this project in processes of their own, installed or not, whatever the current folder is."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    # A terminal of fixed width without colours.
    "COLUMNS": "100",
    "NO_COLOR": "1",
    "TERM": "dumb",
}
