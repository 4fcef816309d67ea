"""zenctl: plan and apply for machine-learning pipelines."""

__version__ = "0.1.0"
