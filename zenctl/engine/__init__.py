"""The engine: evaluates, refreshes, plans, applies and executes; tells what happens as events; prints nothing."""
