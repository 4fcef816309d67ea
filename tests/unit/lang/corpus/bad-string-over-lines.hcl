a = "${f("x}"
b = "y
z"
