"""Knows no document and no table. What happens to a process comes in: a signal, a deadline, a silent server.

What goes out: the work is ended, tried again or cut off, and the command line hears how far it is.
"""
