"""`python -m nasray.cli`."""

import sys

from nasray.cli import main

sys.exit(main())
