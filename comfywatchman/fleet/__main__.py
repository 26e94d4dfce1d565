"""``python -m comfywatchman.fleet``."""

import sys

from comfywatchman.fleet.command import main

sys.exit(main())
