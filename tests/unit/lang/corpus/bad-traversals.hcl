a = x.
b = x.0.1
c = x.*.*
d = x[0
e = x[]
f = x..y
g = x.*[*].
