"""What passes between the engine and a job: its order, its result, and the artifacts both touch.

Standard library only and Python 3.9 syntax: this package is carried into the runner's zipapp.
"""
