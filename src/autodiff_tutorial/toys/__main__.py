"""The command ``python -m autodiff_tutorial.toys``."""

import sys

from autodiff_tutorial.toys.commands import main

if __name__ == "__main__":
    sys.exit(main())
