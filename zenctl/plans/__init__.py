"""What a plan is: a frozen, complete account of what apply will do and why. Pure data and its difference."""
