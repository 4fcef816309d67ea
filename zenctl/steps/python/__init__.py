"""The step type `python`: a function of the user's, found by parsing and called in the job."""
