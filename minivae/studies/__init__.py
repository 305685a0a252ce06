"""Long computations whose results are committed under figures/, and the benchmark."""
