"""What is to be known before the first night: in go the settings, out come lines of findings, and a census.

Nothing is written, sent or loaded; each check is asked by itself and has a time limit.
"""
