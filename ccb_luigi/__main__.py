"""``python -m ccb_luigi`` is the same as the console script ``ccb-luigi``."""

from ccb_luigi.cli import main

main()
