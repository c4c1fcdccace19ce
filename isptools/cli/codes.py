"""How a command ends: the same numbers in every one (docs/commands.md)."""

DONE = 0
CANT = 1  # one line says what, which file, what was expected, what to do
USAGE = 2  # the command line is wrong; click's own
LOOK = 3  # done, but a verdict failed, or something was left out that needs a look
WAITS = 75  # EX_TEMPFAIL of sysexits.h: the disk or the network fails; the same command goes on
STOPPED = 130  # by Ctrl-C or SIGTERM: 128 + SIGINT, as shells have it

EPILOG = (
    "Exit codes: 0 done; 1 can't; 2 usage; 3 done, but a verdict failed or something was left out "
    "that needs a look; 75 waits for the disk or the network; 130 stopped."
)
