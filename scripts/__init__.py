"""The sample workload: what the job types of this repository run, as `python -m scripts.<name>`."""

import os

# The nets are small: several BLAS threads would only fight each other and the neighbours' jobs, and
# one thread makes equal seeds give equal numbers. Must be set before NumPy is imported.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
