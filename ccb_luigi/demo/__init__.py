"""The demonstration: embedded servers, synthetic contracts, and a guided run of the pipeline."""
