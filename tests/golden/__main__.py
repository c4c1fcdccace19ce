"""Write the golden texts anew."""

import sys

from tests.golden import write

if __name__ == "__main__":
    write(sys.argv[1:])
