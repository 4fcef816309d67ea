"""The local provider: steps as processes, artifacts in a folder, endpoints as servers on this machine."""
