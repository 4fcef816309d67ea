a = "xÿþy"
b = 1
