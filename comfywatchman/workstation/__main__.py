"""``python -m comfywatchman.workstation``."""

import os
import sys

from comfywatchman.workstation.command import main

# It led to this checkout; what is started from here has a package of its own.
os.environ.pop("PYTHONPATH", None)
sys.exit(main())
