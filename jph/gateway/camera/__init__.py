"""Cameras: pictures from addresses of the config, and from nowhere else."""
