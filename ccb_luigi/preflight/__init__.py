"""What would go wrong on the first night, told before it: in go the settings, out come lines of findings.

Nothing is written, sent or loaded; each check is asked by itself and has a time limit.
"""
