"""Artifact stores that are reached over a network, for the standard library alone: jobs have nothing else."""
