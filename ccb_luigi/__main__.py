"""The program's first instructions: of the console script ``ccb-luigi`` and of ``python -m ccb_luigi``."""

from ccb_luigi.process import early

early.take_over()  # the rest takes a while to import


from ccb_luigi.process import streams  # noqa: E402


def main() -> None:
    """The command line, from the first instruction to the last."""
    streams.endure()
    from ccb_luigi.cli import main as command_line

    try:
        command_line()
    except SystemExit as end:
        lost = streams.refused()
        if not lost or end.code:
            raise
        from ccb_luigi.commands.frame import failed

        failed(f"done, but the output can't be written: {lost.strerror}", streams.UNSAID)


if __name__ == "__main__":
    main()
