"""Beyond one machine: the only package that imports Dask."""
