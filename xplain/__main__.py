"""``python -m xplain``."""

import sys

from xplain.cli import main

sys.exit(main())
