"""How fast the pipeline is, beside what is possible and what is usual: `make bench` and its sisters.

Each program measures everything that it compares in one run, in turn, and looks at the tables
afterwards: a fast wrong answer is no answer.
"""
