{"step": {"python": {"fit": {"code": "a.py:f"}}}}
