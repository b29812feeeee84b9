"""Dates, ranges and ids come in; raw BSON goes out, from MongoDB or from a dump, undecoded."""
