"""Dates and plans come in; Luigi does the steps of ``load`` for them, and how it truly went comes out.

``ccb_luigi.tasks`` and ``ccb_luigi.counters`` are part of it: Luigi's command line and luigid call them so.
"""
