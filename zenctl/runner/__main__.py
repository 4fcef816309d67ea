"""`python -m zenctl.runner STORE JOB_ID`: the same program as runner.pyz."""

from zenctl.runner.main import leave, main

if __name__ == "__main__":
    leave(main())
