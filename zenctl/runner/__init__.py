"""The program inside a job, on any machine: fetches, runs, stores, and writes result.json last.

Standard library only and Python 3.9 syntax: `zipapp` packs it with `jobs` and `sdk` into one file that needs nothing.
"""
