"""The application: ASGI, GraphQL, command line, web page."""

import os

# Every process that loads NumPy starts BLAS threads, which spin for a while; all that calls BLAS here limits it to one
# thread, as jobs share the processors by themselves.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
