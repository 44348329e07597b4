"""Models and their versions; ALS training on the CPU, and on the GPU where there is one."""
