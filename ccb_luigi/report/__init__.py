"""The morning page: one HTML file that says how the night went, and what to do if it didn't go well."""
