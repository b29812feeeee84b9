"""The program's first instructions: of the console script ``ccb-luigi`` and of ``python -m ccb_luigi``."""

from ccb_luigi.process import early

early.take_over()  # the rest takes a while to import


def main() -> None:
    """The command line, from the first instruction to the last."""
    from ccb_luigi.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
