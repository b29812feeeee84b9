"""The commands of ``ccb-luigi``, a module per subject."""
