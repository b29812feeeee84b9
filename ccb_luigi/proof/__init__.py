"""The source and the tables come in; differences go out, and what is missing, gone or erased is set right."""
